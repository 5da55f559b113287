#!/bin/sh
# A process that is killed at any moment leaves nothing that running it again does not bring to the result of a run that was never killed, to the
# byte. RATEL_LONG=1 takes every moment instead of some hundred. $1: the build directory.
. "$(dirname "$0")/faults.sh"
make_cloud
if [ "$outbox" = yes ]; then
    jq -se '.[-2].messages | length > 10' clean >/dev/null || fail "too few budgets fire"
fi

# kill_loop WHAT BASE MODE WANTED CHECK COMMAND...: kills COMMAND at points of its life and lets CHECK have the rest.
kill_loop() {
    what=$1 from=$2 mode=$3 wanted=$4 check=$5
    shift 5
    fresh "$from"
    total=$(calls "$@")
    echo "$what, $mode: $total calls"
    killed=0 through=0
    for n in $(points "$total" "$wanted"); do
        fresh "$from"
        faulty RATEL_KILL_AT="$n" RATEL_KILL_MODE="$mode" -- "$@"
        # How many calls there are depends on how the threads meet: a late one may not come.
        if [ "$code" -eq 0 ] && [ "$n" -gt $((total / 2)) ]; then
            through=$((through + 1))
        elif [ "$code" -ne 137 ]; then
            fail "$what, $mode at $n: exit code $code, it was not killed"
            continue
        else
            killed=$((killed + 1))
        fi
        $check "$what, $mode at $n"
    done
    [ "$killed" -ge $((3 * through)) ] || fail "$what, $mode: $killed were killed, $through were through before"
}

# Readers must make sense of what a killed writer left, before a writer clears up.
after_ingest() {
    run "$ratel" verify --output json
    [ "$code" -eq 0 ] || fail "$1: verify says $code to what was left"
    run "$ratel" spend --period 2026-10
    [ "$code" -eq 0 ] || fail "$1: spend says $code to what was left"
    run ingest
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    same "$1"
}

second_and_third="$ratel ingest --batch 100 --output json second.ndjson third.ndjson"
for mode in before torn lost shuffled; do
    kill_loop ingest base $mode "$(spread 60 18)" after_ingest $second_and_third
done

# The very first ingest makes the ledger's files.
after_first_ingest() {
    run "$ratel" verify --output json
    [ "$code" -eq 0 ] || fail "$1: verify says $code to what was left"
    run "$ratel" ingest --batch 100 first.ndjson
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    run ingest
    same "$1"
}
for mode in before torn lost shuffled; do
    kill_loop "first ingest" loaded $mode "$(spread 25 6)" after_first_ingest "$ratel" ingest --batch 100 first.ndjson
done

# What a command has done when it ends is on the disk: a power cut right after it takes nothing back, and nobody runs it again.
after_power_cut() {
    what=$1 mode=$2
    shift 2
    faulty RATEL_KILL_AT=exit RATEL_KILL_MODE="$mode" -- "$@"
    [ "$code" -eq 137 ] || fail "$what, $mode after the end: exit code $code"
}
for mode in lost shuffled; do
    echo "power cut after the end, $mode"
    rm -rf data
    after_power_cut init $mode "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
    after_power_cut load $mode "$ratel" load documents.yaml accounts.yaml budgets.yaml
    after_power_cut "first ingest" $mode "$ratel" ingest --batch 100 first.ndjson
    after_power_cut "second ingest" $mode "$ratel" ingest --batch 100 second.ndjson
    after_power_cut "third ingest" $mode "$ratel" ingest --batch 100 third.ndjson
    same "power cuts after every command, $mode"
    fresh
    run ingest
    run "$ratel" suspense discard "$(conflict)"
    run "$ratel" quarantine discard 1
    facts data
    cp facts discarded
    ! cmp -s discarded clean || fail "nothing can be discarded"
    fresh
    run ingest
    after_power_cut "suspense discard" $mode "$ratel" suspense discard "$(conflict)"
    after_power_cut "quarantine discard" $mode "$ratel" quarantine discard 1
    facts data
    cmp -s facts discarded || fail "discarded before a power cut, $mode: not discarded"
done

# Killed, run again and killed at the same place, three times over: clearing up is no different from work.
echo "killed again and again"
fresh
total=$(calls $second_and_third)
for n in $(points "$total" "$(spread 20 4)"); do
    fresh
    for again in 1 2 3; do
        faulty RATEL_KILL_AT="$n" RATEL_KILL_MODE=torn -- $second_and_third
    done
    run ingest
    [ "$code" -eq 0 ] || fail "killed three times at $n: the last run ends with $code"
    same "killed three times at $n"
done

# load: all documents or none; the prices that the ledger is rated by are those of the book, whoever was killed on the way.
cat >dearer.yaml <<'YAML'
kind: ratecard
name: card
currency: EUR
effective_from: 2026-10-03T00:00:00Z
charges:
  - {code: vm, meter: vm.running, unit: hour, price: "0.20"}
  - {code: ip, meter: ip.address, unit: hour, price: "0.01"}
---
kind: fx
source: ECB
rates: [{date: 2026-10-30, base: EUR, quote: INR, rate: "101.2345"}]
YAML
cp -a data unkilled
RATEL_DATA=unkilled "$ratel" load dearer.yaml >/dev/null
facts unkilled
cp facts dearer
cp -a data ingested
cp clean cheaper
after_load() {
    if ! facts "$RATEL_DATA"; then
        fail "$1: a report on what was left fails"
    fi
    # Alerts that the new prices make due may come with the next writer.
    jq -s 'del(.[] | select(.messages?))' facts >left
    jq -s 'del(.[] | select(.messages?))' cheaper >none
    jq -s 'del(.[] | select(.messages?))' dearer >all
    cmp -s left none || cmp -s left all || fail "$1: neither all documents are loaded nor none"
    run "$ratel" load dearer.yaml
    [ "$code" -eq 0 ] || fail "$1: the second run ends with $code"
    run ingest
    cp dearer clean
    same "$1"
}
for mode in before torn lost shuffled; do
    kill_loop load ingested $mode "$(spread 20 5)" after_load "$ratel" load dearer.yaml
done
cp cheaper clean

# init: a data directory that works, or none.
rm -rf nothing
mkdir nothing
after_init() {
    run "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
    [ "$code" -eq 0 ] || [ "$code" -eq 73 ] || fail "$1: the second run ends with $code"
    [ "$(stat -c %a data/new/operator.key)" = 600 ] || fail "$1: the key's mode"
    run "$ratel" load documents.yaml accounts.yaml budgets.yaml
    [ "$code" -eq 0 ] || fail "$1: load ends with $code"
    run "$ratel" verify
    [ "$code" -eq 0 ] || fail "$1: verify ends with $code"
}
export RATEL_DATA=data/new
for mode in before torn lost shuffled; do
    kill_loop init nothing $mode "$(spread 30 8)" after_init "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
done
# Into a directory that exists.
mkdir nothing/new
for mode in before torn; do
    kill_loop "init into a directory" nothing $mode "$(spread 30 8)" after_init "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
done
finish
