#!/bin/sh
# `ratel bench`, small: it has every number that its contract names, its checks pass, and a truth that is wrong by the smallest amount, an input
# that is cut, or a part that it does not know make it fail without a number. How fast it is says nothing here. $1: the build directory.
set -eu

build=$(cd "${1:?usage: bench_test.sh BUILD_DIR}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ratel-bench-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
unset RATEL_DATA RATEL_NOW
cd "$work"
failures=0

failed() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

bench() {
    "$build/bin/ratel" bench --series 2000 --days 3 --rounds 1 --keep "$work/kept" "$@"
}

# refused WHAT CODE PATTERN [OPTION...]: ends with that code, says so, and prints nothing.
refused() {
    what=$1 expected=$2 pattern=$3
    shift 3
    code=0
    bench "$@" >out 2>err || code=$?
    [ "$code" -eq "$expected" ] || failed "$what: ends with $code, not $expected"
    [ ! -s out ] || failed "$what: numbers are printed"
    grep -q "$pattern" err || { failed "$what: does not say what is wrong"; cat err >&2; }
    [ ! -e "$work/kept/data" ] || failed "$what: leaves its data directory"
}

bench --output json --intervals 1 --worst 3000 --flat 400000 >facts 2>err || {
    cat err >&2
    failed "bench ends with $?"
}
for key in json_bytes_per_second json_records_per_second msgpack_records_per_second rerate_events_per_second_core recover_events_per_second \
    simdjson_bytes_per_second msgpackc_records_per_second bytes_per_series journal_bytes_per_event p99_durable_ms changing_bytes_per_second pages_bytes_per_second pages_records_per_second \
    json_one_core_records_per_second msgpack_one_core_records_per_second start_seconds p99_durable_ms_at_1_ms worst_json_records_per_second \
    worst_msgpack_records_per_second worst_start_seconds long_run_last_ns_per_event; do
    jq -e --arg key "$key" '.[$key] | type == "number" and . > 0' facts >/dev/null || failed "bench has no number $key"
done
jq -e '(.machine | type == "string") and (.build | startswith("ratel ")) and .seed == 1 and .checks_passed > 10' facts >/dev/null ||
    failed "bench does not say where, of what and with how many checks"
for ratio in msgpack_to_msgpackc json_to_simdjson changing_to_simdjson rerate_to_msgpackc recover_to_msgpackc json_two_cores_to_one; do
    jq -e --arg ratio "$ratio" '.ratios[$ratio] > 0 and .targets[$ratio] > 0' facts >/dev/null || failed "bench has no ratio $ratio"
done
[ ! -e kept/data ] && [ ! -e kept/other ] || failed "bench leaves its data directories"
find . -maxdepth 1 -name 'ratel-bench-*' | grep -q . && failed "bench leaves a temporary directory"

parts="bare,one-core,changing,pages,rerate,latency"
bench --skip "$parts" >table 2>err || failed "the table: bench ends with $?"
grep -q '^json_records_per_second ' table && grep -q 'checks passed' table || failed "the table lacks its rows"
grep -q simdjson table && failed "a part that was to be left out was not"

# ---- what is wrong is found ----------------------------------------------------------------------------------------------

# wrong_truth WHAT SED-EXPRESSION PATTERN
wrong_truth() {
    cp kept/canonical.ndjson.truth right
    sed -i "$2" kept/canonical.ndjson.truth
    cmp -s right kept/canonical.ndjson.truth && failed "$1: nothing is planted"
    refused "$1" 65 "$3" --skip "$parts"
    cp right kept/canonical.ndjson.truth
}

account='0,/"kind":"account"/'
wrong_truth "one millionth of an hour" "${account}s/\"vm.running\":{\"records\":\([0-9]*\),\"quantity\":\"\([0-9]*\)\"/\"vm.running\":{\"records\":\1,\"quantity\":\"\2.000001\"/" \
    'wrong result: account .* meter vm.running'
wrong_truth "one byte-hour" "${account}s/\"byte_hours\":\"\([0-9]*\)[0-8]\"/\"byte_hours\":\"\19\"/" 'wrong result: account '
wrong_truth "a meter too few" "${account}s/\"vm.allocated\":{[^}]*},//" 'wrong result: account .* did not use'
wrong_truth "a record too many" 's/"unique":\([0-9]*\)/"unique":\10/' 'wrong result: .* records were read'
refused "an unknown part" 64 'there is no part' --skip bare,nothing
refused "a series too few" 64 'series' --series 1
refused "no list" 64 'no list of milliseconds' --skip "bare,one-core,changing,pages,rerate" --intervals 1,x

cp kept/canonical.ndjson whole
head -n 5000 whole >kept/canonical.ndjson
refused "an input that is cut" 65 'wrong result: 5000 records were read' --skip "$parts"
cp whole kept/canonical.ndjson

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
fi
echo "all passed"
