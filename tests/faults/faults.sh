# Shared by the tests of this folder; sourced with the build directory as $1. A small cloud whose usage has duplicates, conflicts, broken rows
# and budgets that fire, a clean run of it, and the means to kill, starve and compare other runs.
set -eu

build=$(cd "${1:?usage: $0 BUILD_DIR}" && pwd)
ratel=$build/bin/ratel
generate=$build/bin/ratel-gen
module=$build/bin/kill_at.so
for needed in "$ratel" "$generate" "$module"; do
    if [ ! -e "$needed" ]; then
        echo "$needed is not built" >&2
        exit 1
    fi
done
# Nothing here asks a real disk for anything, and memory is faster.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA RATEL_NOW
export RATEL_NOW=2026-11-01T00:00:00Z
failures=0

# A sanitizer's runtime must come first among the preloaded; ours stands behind it and sees what it passes on.
runtime=$(ldd "$ratel" | sed -n 's/.*=> \([^ ]*lib[at]san[^ ]*\) .*/\1/p')
sanitized=${runtime:+yes}
preload=${runtime:+$runtime:}$module

fail() {
    echo "FAILED: $*" >&2
    [ ! -s fault ] || cat fault >&2
    [ ! -s err ] || head -n 5 err >&2
    failures=$((failures + 1))
    if [ "$failures" -ge 10 ]; then
        echo "too many failures, giving up" >&2
        exit 1
    fi
}

finish() {
    if [ "$failures" -ne 0 ]; then
        echo "$failures checks failed" >&2
        exit 1
    fi
    echo "all passed"
}

# run COMMAND...: leaves out, err and $code.
run() {
    code=0
    "$@" >out 2>err </dev/null || code=$?
}

# faulty VARIABLES... -- COMMAND...: runs it with the module and its plan.
faulty() {
    rm -f fault
    set -- "RATEL_FAULT_LOG=$work/fault" "LD_PRELOAD=$preload" "$@"
    run env_until_dashes "$@"
}

env_until_dashes() {
    words=
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    # Values bear no blanks: mktemp's names and numbers.
    env $words "$@"
}

# calls COMMAND...: prints how many calls the command makes; it must succeed.
calls() {
    faulty RATEL_FAULT_COUNT="$work/count" -- "$@"
    if [ "$code" -ne 0 ]; then
        fail "the run that counts the calls ends with $code: $*"
        exit 1
    fi
    cat count
}

# points TOTAL WANTED: about WANTED numbers from 1 to TOTAL, the first and last few among them; all of them in a long run.
points() {
    if [ -n "${RATEL_LONG:-}" ] || [ "$1" -le "$2" ]; then
        seq 1 "$1"
        return
    fi
    awk -v total="$1" -v wanted="$2" 'BEGIN {
        for (i = 0; i < wanted; i++) {
            n = 1 + int(i * (total - 1) / (wanted - 1) + 0.5)
            if (n != before) print n
            before = n
        }
    }'
}

# spread FAST SLOW: how many points a loop takes here.
spread() {
    if [ -n "$sanitized" ]; then echo "$2"; else echo "$1"; fi
}

outbox=no
"$ratel" --help | grep -q '^  outbox ' && outbox=yes

# told: without the spend that an alert was sent at, since budgets are looked at now and then while events stream in, and without the numbers of
# conflicts, which follow from the shard that an account is in, which a new data directory draws anew.
told() {
    jq 'if .conflicts then .conflicts |= sort_by(del(.id)) | del(.conflicts[].id)
        else .messages |= sort_by(.id) | del(.messages[] | (.spend, .percent)) end'
}

# facts DIR: everything that must not depend on crashes, in the file facts.
facts() {
    (
        export RATEL_DATA="$1"
        "$ratel" spend --period 2026-10 --output json
        "$ratel" spend --period 2026-10 --by day --output json
        "$ratel" suspense list --output json >suspense && told <suspense
        "$ratel" quarantine list --output json
        if [ "$outbox" = yes ]; then "$ratel" outbox list --output json >messages && told <messages; fi
        "$ratel" verify --output json
    ) >facts 2>err
}

# conflict: the number of the first conflict in suspense by what it is about, whatever its number.
conflict() {
    "$ratel" suspense list --output json | jq '.conflicts | sort_by(del(.id)) | .[0].id'
}

# same WHAT: the facts of ./data are those of the clean run.
same() {
    if ! facts "$RATEL_DATA"; then
        fail "$1: a report on the result fails"
    elif ! cmp -s facts clean; then
        diff clean facts | head -n 20 >&2
        fail "$1: the result differs from the clean run's"
    fi
}

fresh() {
    rm -rf data
    cp -a "${1:-base}" data
}

documents() {
    cat <<'YAML'
kind: ratecard
name: card
currency: EUR
effective_from: 2026-10-01T00:00:00Z
charges:
  - {code: vm, meter: vm.running, unit: hour, price: "0.10"}
  - code: net
    meter: network.sent
    unit: GiB
    model: graduated
    tiers: [{up_to: 100, price: "0.05"}, {price: "0.03"}]
  - {code: volume, meter: volume, times: size, unit: GiB-month, price: "0.10"}
---
kind: catalogue
name: public
ratecard: card
YAML
}

budgets() {
    echo "kind: budgets"
    echo "budgets:"
    sed -n 's/^  - {id: \([^,]*\),.*/  - {account: \1, amount: "40", currency: EUR, thresholds: [1, 10, 25, 50, 75, 100, 150]}/p' accounts.yaml
}

# The cloud: windows of six days in a file each, of which the first two are ingested and acknowledged before anything is killed.
make_cloud() {
    "$generate" --seed 11 --accounts 3 --projects 1 --vms 8 --days 6 --form ndjson --duplicates 40 --late 40 --conflicts 30 --malformed 40 \
        --split-by-window windows --accounts-doc accounts.yaml --truth truth.jsonl
    documents >documents.yaml
    budgets >budgets.yaml
    ls windows/* >windows.list
    cat $(sed -n '1,2p' windows.list) >first.ndjson
    cat $(sed -n '3,4p' windows.list) >second.ndjson
    cat $(sed -n '5,$p' windows.list) >third.ndjson
    export RATEL_DATA=data
    "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} >/dev/null
    "$ratel" load documents.yaml accounts.yaml budgets.yaml >/dev/null
    cp -a data loaded
    "$ratel" ingest --batch 100 first.ndjson >/dev/null
    cp -a data base
    ingest >/dev/null
    facts data
    cp facts clean
    # What is compared must have something in it.
    jq -se '(.[0].accounts | length) == 3 and (.[2].conflicts | length) > 3 and (.[3] | tostring | length) > 500 and .[-1].ok' clean >/dev/null ||
        fail "the clean run is no good reference"
}

ingest() {
    "$ratel" ingest --batch 100 --output json second.ndjson third.ndjson
}
