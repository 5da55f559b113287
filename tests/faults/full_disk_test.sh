#!/bin/sh
# A disk that is full, or broken, at any moment: the command ends with 74 and one line that says what and where, never with a crash, and once
# there is room again running it again gives what a run without trouble gives, to the byte. Then: a second writer is turned away.
# RATEL_LONG=1 takes every moment. $1: the build directory.
. "$(dirname "$0")/faults.sh"
make_cloud

# What is not worth failing for: removing a leftover, and the pids that LOCK and LOCK.book show to people.
tidying() {
    [ "$code" -eq 0 ] && { [ ! -s fault ] || grep -q 'unlink\|/LOCK$\|/LOCK.book$' fault; }
}

# fail_loop WHAT BASE ERRNO ONCE WANTED CHECK COMMAND...: ONCE is 1 for a failure that passes, 0 for one that stays.
fail_loop() {
    what=$1 from=$2 number=$3 once=$4 wanted=$5 check=$6
    shift 6
    fresh "$from"
    total=$(calls "$@")
    how=$number
    [ "$once" = 1 ] && how="$how once"
    echo "$what, $how: $total calls"
    for n in $(points "$total" "$wanted"); do
        fresh "$from"
        faulty RATEL_FAIL_AT="$n" RATEL_FAIL_ERRNO="$number" RATEL_FAIL_ONCE="$once" -- "$@"
        where="$what, $how at $n"
        if ! tidying; then
            # What cannot be made because of a broken disk is "cannot create", 73.
            [ "$code" -eq 74 ] || { [ "$what" = init ] && [ "$code" -eq 73 ] && [ "$number" = EIO ]; } || fail "$where: exit code $code, not 74"
            [ "$(wc -l <err)" -eq 1 ] || fail "$where: the message is not one line"
            grep -q '^ratel: .*\(No space left on device\|Input/output error\|nor cut the rest\)' err || fail "$where: the message does not say why"
        fi
        $check "$where"
    done
}

after_ingest() {
    run "$ratel" verify --output json
    [ "$code" -eq 0 ] || fail "$1: verify says $code to what was left"
    run ingest
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    same "$1"
}

after_first_ingest() {
    run "$ratel" ingest --batch 100 first.ndjson
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    run ingest
    same "$1"
}

after_load() {
    run "$ratel" load documents.yaml accounts.yaml budgets.yaml
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    run "$ratel" ingest --batch 100 first.ndjson
    run ingest
    same "$1"
}

after_init() {
    if run "$ratel" init && [ "$code" -ne 0 ] && [ "$code" -ne 73 ]; then
        fail "$1: the second run ends with $code"
    fi
    after_load "$1"
}

fresh base
mkdir empty
for number in ENOSPC EIO; do
    for once in 0 1; do
        fail_loop ingest base $number $once "$(spread 49 14)" after_ingest "$ratel" ingest --batch 100 --output json second.ndjson third.ndjson
        fail_loop "first ingest" loaded $number $once "$(spread 30 8)" after_first_ingest "$ratel" ingest --batch 100 first.ndjson
    done
done
export RATEL_DATA=data/new
"$ratel" init --data empty/new >/dev/null
rm -rf initialised
mv empty initialised
mkdir empty
for number in ENOSPC EIO; do
    for once in 0 1; do
        fail_loop load initialised $number $once "$(spread 20 4)" after_load "$ratel" load documents.yaml accounts.yaml budgets.yaml
        fail_loop init empty $number $once "$(spread 20 4)" after_init "$ratel" init
    done
done

# The second writer is turned away and told who the first is; a reader is not.
mv initialised/new data/one
export RATEL_DATA=data/one
mkfifo pipe
"$ratel" ingest --batch 1 - <pipe >/dev/null 2>&1 &
first=$!
exec 8>pipe
tries=0
while [ "$(cat data/one/LOCK)" != "$first" ] && [ "$tries" -lt 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
done
for command in "ingest first.ndjson" "suspense discard 1"; do
    run "$ratel" $command
    [ "$code" -eq 75 ] || fail "$command beside a writer ends with $code, not 75"
    grep -q "^ratel: .*$first" err || fail "$command beside a writer does not name the process $first"
done
run "$ratel" spend
[ "$code" -eq 0 ] || fail "spend beside a writer ends with $code"
run "$ratel" load documents.yaml
[ "$code" -eq 0 ] || fail "load beside an ingest ends with $code"
exec 8>&-
wait "$first" || fail "the first writer ends with $?"
run "$ratel" load documents.yaml
[ "$code" -eq 0 ] || fail "load after the writer ends with $code"
# A killed writer locks nobody out.
"$ratel" ingest --batch 1 - <pipe >/dev/null 2>&1 &
first=$!
exec 8>pipe
while [ "$(cat data/one/LOCK)" != "$first" ] && [ "$tries" -lt 1000 ]; do
    sleep 0.02
    tries=$((tries + 1))
done
kill -9 "$first"
wait "$first" 2>/dev/null || true
exec 8>&-
run "$ratel" load documents.yaml
[ "$code" -eq 0 ] || fail "load after a killed writer ends with $code"
finish
