#!/bin/sh
# Documents that are loaded while an ingest runs: a card's revision, an account, a budget. Spend, alerts and everything else are in the end what
# they are when all was loaded first; the ingest itself takes them over, without waiting for more usage. Who may write beside whom: a load beside
# an ingest, no second ingest, no second load, no billing. $1: the build directory.
set -eu

build=$(cd "${1:?usage: live_card_test.sh BUILD_DIR}" && pwd)
PATH=$build/bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/ratel-live.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA
export RATEL_NOW=2026-11-02T09:00:00Z
failures=0

failed() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# run CODE COMMAND...: leaves out and err.
run() {
    wanted=$1 code=0
    shift
    "$@" >out 2>err || code=$?
    [ "$code" -eq "$wanted" ] || failed "$* ends with $code, not $wanted: $(cat err)"
}

# until_true COMMAND...: tries for 20 s.
until_true() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 400 ]; then
            failed "this never came true: $*"
            return
        fi
        sleep 0.05
    done
}

ratel-gen --seed 7 --accounts 4 --projects 1 --vms 12 --days 8 --form ndjson --duplicates 20 --late 20 --accounts-doc accounts.yaml --out usage.ndjson
lines=$(wc -l <usage.ndjson)
card() { # PRICE
    cat <<YAML
kind: ratecard
name: card
currency: EUR
effective_from: 2026-10-03T00:00:00Z
charges:
  - {code: vm, meter: vm.running, unit: hour, model: graduated, tiers: [{up_to: 100, price: "$1"}, {price: "0.031"}]}
  - {code: volume, meter: volume, times: size, unit: GiB-month, price: "0.10"}
YAML
}
{
    card 0.02 | sed 's/2026-10-03T/2026-09-01T/'
    echo ---
    printf 'kind: catalogue\nname: public\nratecard: card\n'
} >first.yaml
card 0.09 >revision.yaml
# All accounts but the last, and the last.
sed '$d' accounts.yaml >most.yaml
{ sed '/^  - /d' accounts.yaml; tail -n 1 accounts.yaml; } >last.yaml
[ "$(grep -c '^  - ' most.yaml)" -ge 3 ] && [ "$(grep -c '^  - ' last.yaml)" -eq 1 ] || failed "the accounts document is not what this test takes it for"
last=$(sed -n 's/^  - {id: \([^,]*\),.*/\1/p' last.yaml)

tell() {
    for by in charge resource day; do
        ratel spend --data "$1" --period 2026-10 --by $by --output json
    done
    ratel suspense list --data "$1" --output json | jq 'del(.conflicts)'
    ratel budget list --data "$1" --period 2026-10 --output json
    ratel outbox list --data "$1" --output json | jq '[.messages[].id] | sort'
    ratel verify --data "$1" --output json | jq 'del(.buckets, .series)'
}

ratel init --data clean >/dev/null
ratel load --data clean first.yaml most.yaml >/dev/null
ratel load --data clean revision.yaml last.yaml >/dev/null
ratel budget set --data clean --account "$last" --amount 3 --currency EUR --thresholds 1,10,100 --id live >/dev/null
ratel ingest --data clean usage.ndjson >/dev/null
tell clean >told-clean
jq -se '(.[0].accounts | length) >= 4 and (.[5] | length) > 0' told-clean >/dev/null || failed "the clean run is no good reference"

fires() { ratel outbox list --data "$1" --output json | jq -e '.messages | length > 0'; }
holds() { [ "$(cat "$1/LOCK")" = "$2" ]; }

mkfifo pipe
for shards in 1 3; do
    data=live-$shards
    ratel init --data $data --shards $shards >/dev/null
    run 0 ratel load --data $data first.yaml most.yaml
    ratel ingest --data $data --batch 100 --output json - <pipe >ingested 2>ingest-err &
    ingest=$!
    exec 8>pipe
    until_true holds $data "$ingest"
    # More than stays in buffers on the way; what comes again is counted once.
    for again in 1 2 3 4 5 6 7 8 9 10; do head -n $((lines / 2)) usage.ndjson >&8; done

    run 0 ratel load --data $data revision.yaml
    grep -q "^stored  *ratecard card from 2026-10-03" out || failed "load beside an ingest does not show what it stored: $(cat out)"
    grep -q "^ratel: the running ingest (process $ingest) takes them over$" err || failed "load beside an ingest does not say who takes over: $(cat err)"
    run 0 ratel load --data $data last.yaml
    run 0 ratel budget set --data $data --account "$last" --amount 3 --currency EUR --thresholds 1,10,100 --id live
    grep -q "process $ingest" err || failed "budget set beside an ingest: $(cat err)"
    run 0 ratel load --data $data revision.yaml
    grep -q '^unchanged' out || failed "loaded twice: $(cat out)"

    # What would write ledgers is turned away and told by whom; what reads is not.
    for command in "ingest usage.ndjson" "bill run --period 2026-10" "quarantine retry 1" "suspense discard 1"; do
        run 75 ratel $command --data $data
        grep -q "process $ingest" err || failed "$command beside an ingest does not name it: $(cat err)"
    done
    run 0 ratel spend --data $data --period 2026-10
    run 0 ratel bill preview --data $data --period 2026-10
    # A load beside another writer of the book is turned away.
    (
        exec 9<>$data/LOCK.book
        flock 9
        run 75 ratel load --data $data revision.yaml
        grep -q 'in use by' err || failed "a second load: $(cat err)"
        exit $failures
    ) || failed "two loads"

    # While the pipe is silent, the ingest takes over what was loaded: the new account's budget fires.
    until_true fires $data
    tail -n +$((lines / 2 + 1)) usage.ndjson >&8
    exec 8>&-
    wait $ingest || failed "the ingest ends with $?: $(cat ingest-err)"
    [ ! -s ingest-err ] || failed "the ingest says: $(cat ingest-err)"
    tell $data >told-$shards
    if ! cmp -s told-clean told-$shards; then
        diff told-clean told-$shards | head -n 20 >&2
        failed "with $shards shards, loaded while it ran is not as loaded first"
    fi
    # The locks are gone, and the next load prices at once again.
    run 0 ratel load --data $data revision.yaml
    [ ! -s err ] || failed "load after the ingest says: $(cat err)"
done

# At the last moment: the ingest has read everything when the load comes, and whoever is first, the checkpoint is of the new prices.
for round in 1 2 3 4 5 6 7 8; do
    data=race-$round
    ratel init --data $data --shards 2 >/dev/null
    ratel load --data $data first.yaml most.yaml >/dev/null
    ratel ingest --data $data usage.ndjson >/dev/null 2>ingest-err &
    ingest=$!
    sleep 0.0$round
    ratel load --data $data revision.yaml last.yaml >/dev/null 2>err || failed "round $round: load: $(cat err)"
    wait $ingest || { # the load was first
        grep -q 'in use by' ingest-err || failed "round $round: $(cat ingest-err)"
        ratel ingest --data $data usage.ndjson >/dev/null
    }
    ratel spend --data $data --period 2026-10 --output json >spend
    ratel spend --data clean --period 2026-10 --output json | cmp -s - spend || failed "round $round: other spend"
done

[ "$failures" -eq 0 ] || exit 1
echo "all passed"
