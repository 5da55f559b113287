#!/bin/sh
# What comes of usage does not depend on the threads: the same spend, suspense, quarantine and counts with one lane as with three, with one shard
# as with four, from every form, plain or compressed, as a file or through a pipe in tiny pieces, whole or in several files, with everything that
# goes wrong in it; and every sum is the generator's truth. $1: the build directory.
set -eu

build=$(cd "${1:?usage: pipeline_test.sh BUILD_DIR}" && pwd)
PATH=$build/bin:$PATH
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA
export RATEL_NOW=2026-11-02T09:00:00Z
failures=0

failed() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

cat >card.yaml <<'YAML'
kind: ratecard
name: card
currency: EUR
effective_from: 2026-09-01T00:00:00Z
charges:
  - {code: vm, meter: vm.running, unit: hour, model: graduated, tiers: [{up_to: 200, price: "0.05"}, {price: "0.031"}]}
  - {code: net, scope: resource, meter: network.sent, unit: GiB, price: "0.05"}
  - {code: disk, meter: volume, times: size, unit: GiB-month, price: "0.1"}
---
kind: catalogue
name: public
ratecard: card
YAML

# Some 5,000 records; JSON of them fills several windows.
generate() {
    ratel-gen --seed 21 --accounts 8 --projects 2 --vms 40 --days 12 --accounts-doc accounts.yaml "$@"
}
warts="--duplicates 30 --late 30 --conflicts 20 --malformed 20"
generate $warts --form ndjson --out usage.ndjson --truth truth.jsonl
for form in json xml array csv msgpack; do
    generate $warts --form $form --out usage.$form
done
for kind in number date type missing cut quote; do
    generate --malformed 50 --malformed-kinds $kind --form ndjson --out broken-$kind.ndjson
done
gzip -k usage.ndjson usage.msgpack
lines=$(($(wc -l <usage.ndjson) / 3))
split -l $lines usage.ndjson part-

# tell DATA: what anybody can ask; without the numbers of conflicts and quarantined records, and without where a record came from.
tell() {
    ratel spend --data "$1" --period 2026-10 --output json
    ratel spend --data "$1" --period 2026-10 --by day --output json
    ratel suspense list --data "$1" --output json | jq '.conflicts |= (map(del(.id)) | sort_by(tostring))'
    ratel verify --data "$1" --output json | jq 'del(.journal?)'
}
# In order, with the places: equal for the same input whatever the threads. The numbers are those of frames.
quarantined() {
    ratel quarantine list --data "$1" --output csv | cut -d, -f2-
}

# ingest NAME LANES SHARDS WORDS...: into a new data directory; leaves told, counts, kept.
ingest() {
    name=$1 lanes=$2 shards=$3
    shift 3
    rm -rf data
    ratel init --data data --shards "$shards" >/dev/null
    ratel load --data data card.yaml accounts.yaml >/dev/null
    code=0
    timeout 300 ratel ingest --data data --lanes "$lanes" --batch 300 --output json "$@" >counts 2>err || code=$?
    [ "$code" -eq 0 ] || failed "$name with $lanes lanes and $shards shards ends with $code: $(head -n 3 err)"
    tell data >told 2>err || failed "$name: a report fails: $(head -n 3 err)"
    quarantined data >kept
}

# compare NAME: with what the first of its name left.
compare() {
    for what in told counts kept; do
        if [ ! -e "$name.$what" ]; then
            cp $what "$name.$what"
        elif ! cmp -s $what "$name.$what"; then
            failed "$name with $lanes lanes and $shards shards: other $what"
            diff "$name.$what" $what | head -n 10 >&2
        fi
    done
}

for form in ndjson json xml array csv msgpack; do
    for threads in "1 1" "3 4" "2 3" "3 1" "1 4"; do
        [ $form = ndjson ] || [ $form = msgpack ] || [ "$threads" = "1 1" ] || [ "$threads" = "3 4" ] || continue
        set -- $threads
        ingest $form "$1" "$2" usage.$form
        compare
    done
done
for kind in number date type missing cut quote; do
    for threads in "1 1" "3 4"; do
        set -- $threads
        ingest broken-$kind "$1" "$2" broken-$kind.ndjson
        compare
    done
done

# The same usage whatever the form: what is malformed is another record in each.
for form in json xml array csv; do
    cmp -s ndjson.told $form.told || failed "$form tells another thing than ndjson: $(diff ndjson.told $form.told | head -n 4)"
done

# same_as NAME: however it came, the same as when it came as a file.
same_as() {
    for what in told counts; do
        cmp -s $what "$1.$what" || failed "$name: other $what than $1: $(diff $what "$1.$what" | head -n 4)"
    done
}
ingest gzip 3 2 usage.ndjson.gz
same_as ndjson
ingest gzip 2 3 usage.msgpack.gz
same_as msgpack
ingest "several files" 3 2 part-*
same_as ndjson
ingest "the same twice" 3 2 usage.ndjson usage.ndjson
cmp -s told ndjson.told || failed "the same twice: $(diff told ndjson.told | head -n 4)"
# pieces FILE: in pieces of some hundred bytes, at odd places.
pieces() {
    python3 -S -c '
import os, sys
data = open(sys.argv[1], "rb").read()
at, step = 0, 1
while at < len(data):
    at += os.write(1, data[at:at + step])
    step = step * 7 % 977 + 1' "$1"
}
for form in ndjson msgpack csv; do
    mkfifo pipe.$form
    pieces usage.$form >pipe.$form &
    ingest "a pipe of $form" 3 2 - <pipe.$form
    same_as $form
done

# A stream in three runs, the second of them killed: each is told where to go on and is sent no byte before that; nothing is missing in the end.
generate --form ndjson --out stream.ndjson
ratel init --data stream-data --shards 3 >/dev/null
ratel load --data stream-data accounts.yaml card.yaml >/dev/null
ratel init --data at-once-data --shards 3 >/dev/null
ratel load --data at-once-data accounts.yaml card.yaml >/dev/null
ratel ingest --data at-once-data stream.ndjson >/dev/null
position() { # [DATA]
    ratel ingest --data "${1:-stream-data}" --stream s --durable-fd 3 - 3>told </dev/null >/dev/null
    head -n 1 told | cut -d ' ' -f 1
}
[ "$(position)" -eq 0 ] || failed "a stream that nobody knows begins at $(position)"
third=$(head -n $(($(wc -l <stream.ndjson) / 3)) stream.ndjson | wc -c)
head -c "$third" stream.ndjson | ratel ingest --data stream-data --stream s - >/dev/null
[ "$(position)" -eq "$third" ] || failed "the stream goes on at $(position), not at $third"
mkfifo pipe.stream
ratel ingest --data stream-data --stream s --durable-fd 3 - <pipe.stream 3>durable >/dev/null &
victim=$!
exec 4>pipe.stream
tail -c +$((third + 1)) stream.ndjson | head -c "$third" >&4
until [ "$(wc -l <durable 2>/dev/null || echo 0)" -ge 2 ]; do sleep 0.05; done
kill -9 $victim
wait $victim || true
exec 4>&-
at=$(position)
[ "$at" -ge "$third" ] || failed "after a kill the stream goes on at $at, before $third"
tail -c +$((at + 1)) stream.ndjson | ratel ingest --data stream-data --stream s - >/dev/null
tell stream-data >stream.told
tell at-once-data >at-once.told
cmp -s stream.told at-once.told || failed "a stream in pieces is not what it is at once"

# Cut in the middle of a page a stream goes on there; of CSV at the header row.
for form in json xml csv msgpack; do
    generate --full --form $form --page-size 40 --out stream.$form
    data=stream-$form-data
    ratel init --data "$data" --shards 3 >/dev/null
    ratel load --data "$data" accounts.yaml card.yaml >/dev/null
    rm -f durable pipe.stream
    mkfifo pipe.stream
    ratel ingest --data "$data" --stream s --durable-fd 3 - <pipe.stream 3>durable >/dev/null &
    victim=$!
    exec 4>pipe.stream
    head -c $(($(wc -c <stream.$form) / 2)) stream.$form >&4
    until [ "$(tail -n 1 durable 2>/dev/null | cut -d ' ' -f 2)" -ge 1000 ] 2>/dev/null; do sleep 0.05; done
    kill -9 $victim
    wait $victim || true
    exec 4>&-
    at=$(position "$data")
    [ $form != csv ] || [ "$at" -eq 0 ] || failed "a stream of CSV goes on at $at, without its header row"
    tail -c +$((at + 1)) stream.$form | ratel ingest --data "$data" --stream s - >/dev/null
    tell "$data" >stream.told
    cmp -s stream.told at-once.told || failed "a stream of $form in pieces is not what it is at once"
done

# The counts are the truth; truth_test.sh has the sums.
jq -e --slurpfile truth truth.jsonl '($truth | map(select(.kind == "counts")) | last) as $truth |
    .read == $truth.records and .accepted == $truth.unique and .duplicate == $truth.duplicates and .conflict == $truth.conflicts and
    .quarantined == $truth.malformed and .read == .accepted + .duplicate + .conflict + .ignored + .quarantined and
    .duplicate > 50 and .conflict > 50 and .quarantined > 50' ndjson.counts >/dev/null || failed "not the truth: $(cat ndjson.counts) $(tail -n 1 truth.jsonl)"

[ "$failures" -eq 0 ] || exit 1
echo "all passed"
