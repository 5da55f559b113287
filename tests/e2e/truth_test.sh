#!/bin/sh
# Invented clouds in every form and with everything that goes wrong, ingested and compared with the generator's truth to the last digit:
# counts, quantities, amounts (recomputed in whole numbers by exact.py), breakdowns, explanations; and the same spend, byte for byte, whatever
# the order, the split and the mix of forms. $1: the build directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: truth_test.sh BUILD_DIR}" && pwd)
PATH=$build/bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/ratel-truth.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA RATEL_NOW
failures=0

failed() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

exact() {
    python3 -S "$here/exact.py" "$@" || failures=$((failures + 1))
}

# code; meter; times; unit; quanta of a unit; model; terms (price | bound:price:flat ... | size:price); limits
tr ';' '\t' >charges.tsv <<'TABLE'
vm.running;vm.running;-;hour;1000000;per_unit;open:0.012345678901:0;-
vm.cpu;vm.running;cpunumber;vcpu-hour;1000000;graduated;1000:0.01:0 5000:0.009:2.5 open:0.0081:1;-
vm.memory;vm.running;memory;GiB-hour;1024000000;volume;1000:0.004:0 20000:0.0035:7 open:0.003:11;-
vm.days;vm.running;-;day;24000000;stairstep;10:0:5 100:0:40 open:0:250;-
vm.allocated;vm.allocated;-;month;730000000;per_unit;open:1.1:0;-
vm.reserved;vm.allocated;memory;MiB-hour;1000000;per_unit;open:0.000001000001:0;-
ip.address;ip.address;-;hour;1000000;per_unit;open:0.004:0;maximum=3.21
network.sent;network.sent;-;GiB;1073741824000000;graduated;100:0:0 1000:0.09:0 open:0.07:5;-
network.packs;network.sent;-;GB;1000000000000000;package;250:19.99;-
network.received;network.received;-;byte;1000000;per_unit;open:0.000000000001:0;-
volume.hours;volume;-;hour;1000000;per_unit;open:0.0001:0;-
volume;volume;size;GiB-month;783831531520000000;per_unit;open:0.1:0;-
template;template;-;hour;1000000;per_unit;open:0.003:0;-
template.size;template;size;GB-hour;1000000000000000;per_unit;open:0.000123:0;-
iso;iso;-;hour;1000000;per_unit;open:0.002:0;-
snapshot;snapshot;-;hour;1000000;per_unit;open:0.001:0;-
snapshot.size;snapshot;size;GiB-month;783831531520000000;graduated;1:0.05:0 open:0.04:0;-
securitygroup;securitygroup;-;hour;1000000;per_unit;open:0.0005:0;minimum=1.005
loadbalancer;loadbalancer.rule;-;hour;1000000;per_unit;open:0.01:0;-
portforwarding;portforwarding.rule;-;hour;1000000;per_unit;open:0.001:0;-
network.offering;network.offering;-;hour;1000000;per_unit;open:0.0033:0;-
vpn.user;vpn.user;-;hour;1000000;per_unit;open:0.005:0;-
reads;disk.read.requests;-;1000000 requests;1000000000000;per_unit;open:0.08:0;included=3
writes;disk.write.requests;-;request;1000000;per_unit;open:0.0000001:0;-
read.bytes;disk.read.bytes;-;GiB;1073741824000000;graduated;50:0.002:0 open:0.001:0;included=10
write.bytes;disk.write.bytes;-;byte;1000000;per_unit;open:0.000000000002:0;-
vmsnapshot;vmsnapshot;-;hour;1000000;per_unit;open:0.001:0;-
vmsnapshot.size;vmsnapshot;size;GiB-hour;1073741824000000;per_unit;open:0.00007:0;-
volume.secondary;volume.secondary;-;hour;1000000;per_unit;open:0.002:0;-
volume.secondary.size;volume.secondary;size;GiB-month;783831531520000000;per_unit;open:0.02:0;-
vmsnapshot.primary;vmsnapshot.primary;-;hour;1000000;per_unit;open:0.001:0;-
backup;backup;-;hour;1000000;per_unit;open:0.001:0;-
backup.size;backup;size;GiB-month;783831531520000000;per_unit;open:0.03:0;-
bucket;bucket;-;byte-hour;3600000000;per_unit;open:0.000000000001:0;-
bucket.size;bucket;-;GiB-month;2821793513472000000000;per_unit;open:0.02:0;-
network;network;-;hour;1000000;per_unit;open:0.005:0;-
vpc;vpc;-;hour;1000000;per_unit;open:0.01:0;-
TABLE
exact card charges.tsv >card.yaml
cat >>card.yaml <<'YAML'
---
kind: catalogue
name: public
ratecard: truth
---
kind: fx
source: test
rates:
  - {date: 2026-10-30, base: EUR, quote: JPY, rate: "162.37"}
  - {date: 2026-10-31, base: EUR, quote: BHD, rate: "0.437654321098"}
YAML
printf 'EUR\t1\nJPY\t162.37\nBHD\t0.437654321098\n' >rates.tsv

# ---- the pieces ------------------------------------------------------------------------------------------------------

truth_tsv() {
    jq -r 'select(.meters) | .payer as $payer | .meters | to_entries[] | [$payer, .key] + (.value |
        [(.records | tostring), .quantity, (.byte_hours, .cpu_hours, .memory_mib_hours, .level_seconds | . // "null")]) | @tsv' "$1"
}

# spend DATA [OPTION...]: JSON on standard output
spend() {
    data=$1
    shift
    ratel spend --data "$data" --period 2026-10 --output json "$@"
}

spend_tsv() {
    jq -r '.accounts[] | .account as $account | .currency as $currency | ["total", $account, $currency, .total],
        (.lines[] | ["line", $account, $currency, .charge, .quantity, .unit, .amount, .rounded]),
        (.unpriced[] | ["unpriced", $account, .meter, .quantity]) | @tsv' "$1"
}

# counts TITLE TRUTH INGESTED: what ingest told is what the truth says.
counts() {
    expected=$(jq -c 'select(.kind == "counts") | {read: .records, accepted: .unique, duplicate: .duplicates, conflict: .conflicts,
        ignored: .double_volumes, quarantined: .malformed}' "$2")
    got=$(jq -c '{read, accepted, duplicate, conflict, ignored, quarantined}' "$3")
    [ "$got" = "$expected" ] || failed "$1: counts $got, not $expected"
}

# again TITLE INGESTED INGESTED_AGAIN: everything that was accepted is now a duplicate, nothing else has changed.
again() {
    expected=$(jq -c '{read, accepted: 0, duplicate: (.duplicate + .accepted), conflict, ignored, quarantined}' "$2")
    got=$(jq -c '{read, accepted, duplicate, conflict, ignored, quarantined}' "$3")
    [ "$got" = "$expected" ] || failed "$1: counts $got, not $expected"
}

verified() {
    ratel verify --data "$2" >verified 2>&1 || failed "$1: verify: $(cat verified)"
}

# cloud NAME OPTION...: usage and truth; then without a card, and with one.
cloud() {
    name=$1
    shift
    echo "$name"
    mkdir "$name"
    ratel-gen --currency EUR,JPY,BHD "$@" --out "$name/usage" --truth "$name/truth" --accounts-doc "$name/accounts.yaml"
    truth_tsv "$name/truth" >"$name/truth.tsv"
    ratel init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} --data "$name/data" >/dev/null
    ratel load --data "$name/data" "$name/accounts.yaml" >/dev/null
    ratel ingest --data "$name/data" --output json "$name/usage" >"$name/ingested" || failed "$name: ingest ends with $?"
    counts "$name" "$name/truth" "$name/ingested"
    spend "$name/data" >"$name/unpriced"
    spend_tsv "$name/unpriced" >"$name/unpriced.tsv"
    exact unpriced "$name" "$name/truth.tsv" "$name/unpriced.tsv"
    verified "$name" "$name/data"
    ratel load --data "$name/data" card.yaml >/dev/null
    priced "$name"
}

priced() {
    spend "$1/data" >"$1/spend"
    spend_tsv "$1/spend" >"$1/spend.tsv"
    exact priced "$1" "$1/truth.tsv" "$1/spend.tsv" charges.tsv rates.tsv
    verified "$1" "$1/data"
}

breakdowns() {
    for by in resource day zone; do
        spend "$1/data" --by "$by" | jq -r --arg by "$by" \
            '.accounts[] | .account as $account | .lines[] | [$account, .charge, .[$by], .quantity, .amount, .rounded] | @tsv' >"$1/by-$by.tsv"
        exact parts "$1 by $by" "$1/spend.tsv" "$1/by-$by.tsv" charges.tsv
    done
}

# explanations NAME: of every line of every account.
explanations() {
    jq -r '.accounts[] | .account as $account | .lines[] | [$account, .charge] | @tsv' "$1/spend" >"$1/lines"
    while read -r account charge; do
        ratel explain --data "$1/data" --period 2026-10 --output json --charge "$charge" "$account" || failed "$1: explain $account $charge"
    done <"$1/lines" >"$1/explained"
    jq -r '.account as $account | .charge as $charge | ["line", $account, $charge, .before_limits, .amount, .rounded],
        (.parts | to_entries[] | (.key | tostring) as $part | .value |
            ["part", $account, $charge, $part, .quantity_base, .amount],
            (.steps[] | ["step", $account, $charge, $part, .amount]),
            (.series[] | (.series | tostring) as $series |
                ["series", $account, $charge, $part, $series, .counted, .times, .quantity],
                (.windows[] | ["window", $account, $charge, $part, $series, .raw, .counted,
                    ((.end | fromdate) - (.start | fromdate) | tostring)]))) | @tsv' "$1/explained" >"$1/explained.tsv"
    exact explained "$1 explained" "$1/explained.tsv" "$1/spend.tsv" "$1/truth.tsv" charges.tsv
}

# ---- every form, with everything that goes wrong ------------------------------------------------------------------------

warts="--duplicates 30 --late 20 --malformed 6 --conflicts 6 --double-volumes"
# shellcheck disable=SC2086
{
    cloud json --seed 11 --accounts 5 --projects 3 --vms 24 $warts --control-chars --form json --page-size 100
    breakdowns json
    explanations json
    cloud json-old --seed 12 --accounts 4 --vms 8 $warts --decimal-comma --date-format old --form json --compress gzip
    cloud xml --seed 13 --accounts 4 --vms 8 $warts --control-chars --form xml --compress zstd
    cloud xml-old --seed 14 --accounts 4 --vms 6 $warts --decimal-comma --date-format old --form xml --page-size 50
    cloud ndjson --seed 15 --accounts 4 --vms 10 $warts --control-chars --form ndjson --timezone Europe/Berlin --server-timezone Asia/Kolkata
    breakdowns ndjson
    cloud array --seed 16 --accounts 4 --vms 6 $warts --form array --compress gzip --timezone Australia/Lord_Howe
    cloud csv --seed 17 --accounts 4 --vms 6 $warts --decimal-comma --form csv
    cloud csv-new --seed 18 --accounts 4 --vms 6 $warts --control-chars --form csv --compress zstd --timezone America/New_York
    cloud msgpack --seed 19 --accounts 4 --vms 8 $warts --form msgpack --date-format old
    cloud msgpack-full --seed 20 --accounts 4 --vms 6 $warts --form msgpack --full --compress gzip --decimal-comma

    cloud random --seed 25 --accounts 4 --series 300 --days 10 --stable --order random --duplicates 30 --late 20 --conflicts 6 --form json

    # Hours and less, over the days on which the clock is set back.
    cloud hourly --seed 21 --accounts 3 --vms 3 $warts --form ndjson --range 60 --timezone Europe/Berlin --start 2026-10-23 --end 2026-10-26
    breakdowns hourly
    explanations hourly
    cloud quarters --seed 22 --accounts 2 --vms 2 $warts --form json --range 15 --timezone Australia/Lord_Howe --start 2026-10-03 --end 2026-10-04
    cloud odd --seed 23 --accounts 2 --vms 2 $warts --form msgpack --range 7 --start 2026-10-31 --end 2026-10-31
}

# ---- windows that straddle periods: the periods add up to the truth -------------------------------------------------------

echo "straddling"
sed -e 's/timezone: UTC/timezone: Asia\/Kolkata/' json-old/accounts.yaml >straddling.yaml
ratel-gen --seed 24 --accounts 4 --vms 8 --start 2026-09-29 --end 2026-11-01 --out straddling --truth straddling.truth \
    --accounts-doc straddling.accounts.yaml
sed -i -e 's/timezone: UTC/timezone: Asia\/Kolkata/' straddling.accounts.yaml
truth_tsv straddling.truth >straddling.tsv
ratel init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} --data straddling.data >/dev/null
ratel load --data straddling.data straddling.accounts.yaml >/dev/null
ratel ingest --data straddling.data straddling >/dev/null
for month in 2026-09 2026-10 2026-11; do
    ratel spend --data straddling.data --period $month --output json >straddling.json
    spend_tsv straddling.json >straddling.$month
done
exact unpriced straddling straddling.tsv straddling.2026-09 straddling.2026-10 straddling.2026-11
verified straddling straddling.data

# ---- the order does not matter ----------------------------------------------------------------------------------------------

echo "order"
for form in json xml ndjson array csv msgpack; do
    options="--form $form"
    [ $form != msgpack ] || options="--form msgpack --full"
    # shellcheck disable=SC2086
    ratel-gen --seed 31 --accounts 4 --vms 12 --duplicates 30 --late 20 --malformed 5 --malformed-kinds number,date,type,missing --double-volumes \
        $options --split-by-window "split-$form" --truth split.truth --accounts-doc split.yaml
done
truth_tsv split.truth >split.tsv

# order NAME [OPTION...] FILES...: all in one ingest; the spend is the straight one's, byte for byte.
order() {
    name=$1
    shift
    ratel init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} --data "order-$name" >/dev/null
    ratel load --data "order-$name" split.yaml card.yaml >/dev/null
    ratel ingest --data "order-$name" --output json "$@" >"$name.ingested" || failed "order $name: ingest ends with $?"
    counts "order $name" split.truth "$name.ingested"
    spend "order-$name" >"order-$name.spend"
    cmp "order-straight.spend" "order-$name.spend" || failed "order $name: another spend"
    verified "order $name" "order-$name"
}

order straight split-json/*
spend_tsv order-straight.spend >order-straight.tsv
exact priced "order straight" split.tsv order-straight.tsv charges.tsv rates.tsv
# shellcheck disable=SC2046
{
    order reversed $(find split-ndjson -type f | sort -r)
    order shuffled $(find split-xml -type f | sort | shuf --random-source="$here/exact.py")
    order small-batches --batch 7 $(find split-msgpack -type f | shuf --random-source="$here/truth_test.sh")
    mixed=$(find split-json -type f | sort | awk '{split("json xml ndjson array csv msgpack", forms); form = forms[NR % 6 + 1]
        gsub("split-json", "split-" form); sub("json$", form == "array" ? "json" : form); print}')
    for file in $mixed; do
        [ -e "$file" ] || { base=${file%.*}; echo "$base".*; continue; }
        echo "$file"
    done | shuf --random-source="$here/exact.py" >mixed
    order mixed $(cat mixed)
}
# One ingest a file, the newest first; then all of it once more in another form.
ratel init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} --data one-by-one >/dev/null
find split-array -type f | sort -r | while read -r file; do
    ratel ingest --data one-by-one "$file" >/dev/null
done
ratel load --data one-by-one card.yaml split.yaml >/dev/null
spend one-by-one >one-by-one.spend
cmp order-straight.spend one-by-one.spend || failed "one by one, priced afterwards: another spend"
cat split-csv/window-00001* >first.csv
ratel ingest --data one-by-one --output json split-json/* >again.ingested
again "a second time" straight.ingested again.ingested
ratel ingest --data one-by-one first.csv >/dev/null
spend one-by-one | cmp order-straight.spend - || failed "a second time: another spend"
verified "a second time" one-by-one
for by in resource day zone; do
    spend order-straight --by $by >straight.by
    spend one-by-one --by $by | cmp straight.by - || failed "a second time, by $by: another breakdown"
done

# With the same name for the cloud, never another: the same records from two clouds are two.
ratel ingest --data one-by-one --source other --output json first.csv >other.ingested
[ "$(jq .accepted other.ingested)" -gt 0 ] || failed "the same records of another cloud are not the same usage"

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
fi
echo "all passed"
