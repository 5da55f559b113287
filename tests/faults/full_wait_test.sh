#!/bin/sh
# `ratel ingest --when-full wait`: a disk that becomes full holds the source back, says so once, and when there is room again the command goes on
# and ends with 0 and what a run without trouble gives. First at any write that makes a file longer, from opening to the last checkpoint; then,
# where file systems can be mounted, with a real one that is full, from the start and later: the journal's, the ledger's, the quarantine's, and
# everything's. A disk that is broken still stops the command.
# RATEL_LONG=1 takes every moment. $1: the build directory.
. "$(dirname "$0")/faults.sh"
make_cloud
export RATEL_DATA=data

waiting() { [ "$(grep -c '^ratel: .*no room on the disk: waiting until there is' "$1")" -gt 0 ]; }

# ---- any write that grows a file, refused twice in a row

fresh base
# refused_twice WHAT BASE WANTED COMMAND...: at about so many of the calls that the command makes. A pid without room in LOCK is not worth waiting for.
refused_twice() {
    what=$1 from=$2 wanted=$3 waited=0
    shift 3
    fresh "$from"
    total=$(calls "$@")
    for n in $(points "$total" "$wanted"); do
        fresh "$from"
        faulty RATEL_FAIL_AT="$n" RATEL_FAIL_FOR=2 RATEL_FAIL_GROWING=1 -- "$@"
        [ -s fault ] || continue
        [ "$code" -eq 0 ] || fail "$what, call $n: ended with $code"
        if waiting err; then
            waited=$((waited + 1))
            grep -v 'a commit that was never finished' err >said || true
            [ "$(wc -l <said)" -eq 2 ] || fail "$what, call $n: more is told than that it waits and goes on"
            [ "$(tail -n 1 said)" = "ratel: there is room again: going on" ] || fail "$what, call $n: it does not say that it goes on"
        else
            grep -q '/LOCK' fault || fail "$what, call $n: refused without waiting"
        fi
        same "$what, call $n"
    done
    echo "$what: refused twice: waited at $waited of $total calls"
    [ "$waited" -gt 2 ] || fail "$what: almost no call met the waiting: $waited of $total"
}

refused_twice "from a checkpoint" base "$(spread 40 12)" "$ratel" ingest --when-full wait --batch 100 --output json second.ndjson third.ndjson
# Opening has to derive the ledger again, and to cut what a crash left unfinished.
cp -a base torn
rm -rf torn/shard-00/ledger/*
printf 'unfinished' >>"$(ls torn/shard-00/journal/*.seg | tail -n 1)"
refused_twice "from a torn journal" torn "$(spread 30 14)" "$ratel" ingest --when-full wait --batch 100 --output json second.ndjson third.ndjson
# A stream leaves its position behind the last commit, and one more checkpoint.
mv clean clean.files
cat second.ndjson third.ndjson >stream.ndjson
cat >streamed <<'END'
exec "$0" ingest --when-full wait --batch 100 --stream feed - <stream.ndjson
END
fresh base
run sh -c "$(cat streamed)" "$ratel"
facts data
mv facts clean
refused_twice "a stream" base "$(spread 30 14)" sh -c "$(cat streamed)" "$ratel"
mv clean.files clean

# ---- broken is not full

fresh base
found=no
for n in $(points "$total" 20); do
    fresh base
    faulty RATEL_FAIL_AT="$n" RATEL_FAIL_ERRNO=EIO RATEL_FAIL_GROWING=1 -- "$ratel" ingest --when-full wait --batch 100 --output json second.ndjson third.ndjson
    [ -s fault ] && ! grep -q '/LOCK' fault || continue
    found=yes
    [ "$code" -eq 74 ] || fail "EIO from call $n on: exit code $code, not 74"
    [ "$(wc -l <err)" -eq 1 ] || fail "EIO from call $n on: the message is not one line"
    grep -q '^ratel: .*data/.*Input/output error' err || fail "EIO from call $n on: the message does not say what and where"
    run ingest
    same "EIO from call $n on"
done
[ $found = yes ] || fail "no write met EIO"

# ---- real disks

disk=$work/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=1m none "$disk" 2>/dev/null; then
    echo "SKIPPED: nothing can be mounted here, so no real disk was full"
    finish
    exit 0
fi
umount "$disk"
mounted=
trap '[ -z "$mounted" ] || umount -l "$mounted"; rm -rf "$work"' EXIT

# on_disk PART: ./data/PART is a disk of its own.
on_disk() {
    mv "data/$1" moved
    mkdir "data/$1"
    mount -t tmpfs -o size=16m none "data/$1"
    mounted=$work/data/$1
    cp -a moved/. "data/$1"
    rm -rf moved
}

off_disk() {
    cp -a "$mounted" copied
    umount "$mounted"
    rm -rf "$mounted"
    mv copied "$mounted"
    mounted=
}

await() { # WHAT COMMAND...
    what=$1 tries=0
    shift
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 600 ]; then
            fail "$what never came"
            return
        fi
        sleep 0.05
    done
}

mkfifo pipe
holds_lock() { [ "$(cat data/LOCK)" = "$ingest" ]; }
said_so() { waiting ingest-err; }

# The same through a pipe: other names of files, and other offsets.
fresh loaded
cat first.ndjson second.ndjson third.ndjson | "$ratel" ingest --batch 100 - >/dev/null
facts data
mv facts clean

# LMDB reuses pages of its own: the ledger starts empty, so that it needs new ones.
for part in shard-00/journal shard-00/ledger quarantine .; do
    rm -rf data
    if [ "$part" = . ]; then
        mkdir data
        mount -t tmpfs -o size=16m none data
        mounted=$work/data
        cp -a loaded/. data
    else
        cp -a loaded data
        on_disk "$part"
    fi
    "$ratel" ingest --when-full wait --batch 100 --output json - <pipe >ingested 2>ingest-err &
    ingest=$!
    exec 8>pipe
    await "the lock" holds_lock
    dd if=/dev/zero of="data/$part/filler" bs=4k 2>/dev/null || true
    cat first.ndjson second.ndjson third.ndjson >&8 &
    feeder=$!
    exec 8>&-
    await "$part: the message" said_so
    kill -0 "$ingest" 2>/dev/null || fail "$part: the command did not wait"
    sleep 0.6 # tries again in vain
    [ "$(wc -l <ingest-err)" -eq 1 ] || fail "$part: full: more than one line: $(cat ingest-err)"
    case $part in
        .) ;;
        *) grep -q "/data/$part" ingest-err || fail "$part: the message names another file: $(cat ingest-err)" ;;
    esac
    # Readers go on, and what is durable is sound.
    run "$ratel" verify
    [ "$code" -eq 0 ] || [ "$part" = shard-00/ledger ] || [ "$part" = . ] || fail "$part: verify beside it ends with $code"
    rm "data/$part/filler"
    wait "$feeder" || true
    code=0
    wait "$ingest" || code=$?
    [ "$code" -eq 0 ] || fail "$part: the command ends with $code: $(cat ingest-err)"
    tail -n 1 ingest-err | grep -q '^ratel: there is room again: going on$' || fail "$part: it does not say that it goes on: $(cat ingest-err)"
    same "$part"
    off_disk
    echo "full $part: waited and went on"
done

# Full before anything is opened: the ledger is derived again on it, quarantine gets its first record.
cat first.ndjson second.ndjson third.ndjson >all.ndjson
for part in shard-00/ledger .; do
    rm -rf data
    if [ "$part" = . ]; then
        mkdir data
        mount -t tmpfs -o size=16m none data
        mounted=$work/data
        cp -a loaded/. data
    else
        cp -a loaded data
        on_disk "$part"
    fi
    rm -rf data/shard-00/ledger/*
    dd if=/dev/zero of="data/$part/filler" bs=4k 2>/dev/null || true
    : >ingest-err
    "$ratel" ingest --when-full wait --batch 100 --output json - <all.ndjson >ingested 2>ingest-err &
    ingest=$!
    await "$part: the message at the start" said_so
    sleep 0.6 # tries again in vain
    kill -0 "$ingest" 2>/dev/null || fail "$part: the command did not wait at the start: $(cat ingest-err)"
    rm "data/$part/filler"
    code=0
    wait "$ingest" || code=$?
    [ "$code" -eq 0 ] || fail "$part, at the start: the command ends with $code: $(cat ingest-err)"
    tail -n 1 ingest-err | grep -q '^ratel: there is room again: going on$' || fail "$part, at the start: it does not say that it goes on: $(cat ingest-err)"
    same "$part, at the start"
    off_disk
    echo "full $part from the start: waited and went on"
done
finish
