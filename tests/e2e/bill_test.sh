#!/bin/sh
# From usage to invoices, from outside: preview, run, finalize, list, show, export, budgets and the outbox. $1: the build directory.
set -eu

build=$(cd "${1:?usage: bill_test.sh BUILD_DIR}" && pwd)
ratel=$build/bin/ratel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA
export RATEL_NOW=2026-11-02T09:00:00Z
failures=0

# expect CODE COMMAND...: runs it; standard output and error are left in out and err.
expect() {
    expected=$1
    shift
    code=0
    "$@" >out 2>err </dev/null || code=$?
    if [ "$code" -ne "$expected" ]; then
        echo "FAILED: exit code $code, not $expected: $*" >&2
        head -n 5 err >&2
        failures=$((failures + 1))
    fi
}

# says FILE PATTERN: a line of it matches the basic regular expression.
says() {
    if ! grep -q -e "$2" "$1"; then
        echo "FAILED: no line \"$2\" in $1:" >&2
        head -n 5 "$1" >&2
        failures=$((failures + 1))
    fi
}

# holds FILE FILTER: the jq filter is true of the JSON.
holds() {
    if ! jq -e "$2" "$1" >/dev/null; then
        echo "FAILED: not true of $1: $2" >&2
        head -n 20 "$1" >&2
        failures=$((failures + 1))
    fi
}

cat >documents.yaml <<'YAML'
kind: ratecard
name: public
currency: EUR
effective_from: 2026-01-01T00:00:00Z
charges:
  - {code: disk.writes, description: "Disk writes", meter: disk.write.requests, unit: 1000 requests, price: "0.00005"}
  - {code: gpu, description: "GPU time", meter: gpu.time, unit: gpu-hour, price: "1.20"}
---
kind: ratecard
name: public-in
currency: INR
effective_from: 2026-01-01T00:00:00Z
charges:
  - {code: ip.public, description: "=Public \"IPv4\", address", meter: ip.address, unit: day, price: "9"}
  - code: net.egress
    description: Outgoing traffic
    meter: network.sent
    unit: GB
    model: graduated
    tiers:
      - {up_to: 50, price: "0"}
      - {price: {INR: "6.75", USD: "0.08"}, flat: {INR: "20", USD: "0.25"}}
---
{kind: catalogue, name: public, ratecard: public}
---
{kind: catalogue, name: india, ratecard: public-in}
---
kind: meters
meters: [{name: gpu.time, base: hour}]
---
kind: accounts
accounts:
  - {id: acme, name: Acme Rocket GmbH, currency: EUR, catalogue: public, timezone: Europe/Berlin, terms_days: 14,
     email: [ap@acme.example], tax: {country: DE, id: DE136695976}}
  - {id: bergwerk, name: Bergwerk eG, currency: EUR, catalogue: public, timezone: Europe/Berlin, tax: {country: DE}}
  - {id: chai, name: Chai Labs, currency: INR, catalogue: india, timezone: Asia/Kolkata, tax: {country: IN}}
  - {id: delta, name: Delta LLC, currency: USD, catalogue: india, timezone: America/New_York}
---
kind: tax
rules: [{country: DE, rate: "19"}, {country: IN, rate: "18"}]
---
kind: budgets
budgets: [{account: acme, amount: "500", currency: EUR, thresholds: [50, 80, 100], email: [ops@acme.example]}]
YAML
event() { # ID ACCOUNT METER QUANTITY DAY
    printf '{"id":"%s","account":"%s","meter":"%s","quantity":"%s","time":"%sT10:00:00Z"}\n' "$@"
}

# The sums of an invoice, as integers of its minor unit: no float takes part in the check.
sums='def minor: tostring | ltrimstr("-") | sub("\\."; "") | tonumber;
    (([.lines[].amount | minor] | add) == (.net | minor))
    and (([.taxes[].amount | minor] | add // 0) == (.tax | minor))
    and ((.net | minor) + (.tax | minor) == (.total | minor))'

# ---- a month ----------------------------------------------------------------------------------------------
export RATEL_DATA="$work/data"
expect 0 "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
expect 0 "$ratel" load documents.yaml
{
    event e1 acme gpu.time 333.333333 2026-10-05
    event e2 bergwerk gpu.time 100.5 2026-10-06
    event e3 bergwerk disk.write.requests 123456789 2026-10-06
    event e4 delta network.sent 75000000000 2026-10-07
    event e5 bergwerk no.such.meter 1 2026-10-07
    event e6 acme gpu.time 10 2026-11-01
    printf '{"id":"e7","account":"%s","meter":"ip.address","quantity":"744","start":"2026-10-02T00:00:00Z","end":"2026-10-30T00:00:00Z","resource":"ip-1"}\n' chai
} >usage.json
expect 0 "$ratel" ingest --output json usage.json
holds out '.accepted == 7'

expect 0 "$ratel" bill preview --period 2026-10 --output json
says err "bergwerk has usage without a price (no.such.meter)"
holds out '.period == "2026-10" and .status == "preview" and (.invoices | length) == 4 and (.refused | length) == 0'
holds out '[.invoices[] | .number == null and .status == "draft" and .kind == "invoice"] | all'
expect 0 "$ratel" spend --period 2026-10 --output json
cp out spend.json
expect 0 "$ratel" invoice list --output json
holds out '.invoices == []'

expect 0 "$ratel" bill run --period 2026-10
expect 0 "$ratel" invoice list --status draft --output json
holds out '(.invoices | length) == 4 and ([.invoices[].number] | all(. == null))'
expect 0 "$ratel" invoice show "2026-10/delta"
says out '(draft)'

# Nothing that was not looked at is issued, and no month before it is over.
expect 65 "$ratel" bill finalize --period 2026-10 --now 2026-10-31T23:30:00Z
says err 'it ends at 2026-11-01T04:00:00Z'
event late chai ip.address 24 2026-10-31 >late.json
expect 0 "$ratel" ingest late.json
expect 75 "$ratel" bill finalize --period 2026-10
says err "for chai: nothing is issued"
expect 0 "$ratel" invoice list --status issued --output json
holds out '.invoices == []'

expect 0 "$ratel" bill run --period 2026-10
expect 0 "$ratel" bill finalize --period 2026-10 --output json
holds out '[.invoices[].number] == ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003", "INV-2026-000004"]'
holds out ".invoices | all($sums)"
holds out '.invoices | all(.status == "issued" and .issued == "2026-11-02T09:00:00Z" and .due > .issued)'
expect 0 "$ratel" bill finalize --period 2026-10 --output json
says err 'nothing to do'
holds out '.invoices == [] and (.invoiced_before | length) == 4'
expect 0 "$ratel" bill run --period 2026-10
says err '4 accounts are invoiced for 2026-10 already'

# ---- reading ----------------------------------------------------------------------------------------------
expect 0 "$ratel" invoice list --period 2026-10 --output json
holds out '.invoices | length == 4 and all(has("number") and has("account") and has("status") and has("total"))'
expect 0 "$ratel" invoice show INV-2026-000002 --output json
holds out ".account == \"bergwerk\" and .currency == \"EUR\" and .period.start == \"2026-09-30T22:00:00Z\" and .period.end == \"2026-10-31T23:00:00Z\""
holds out '.lines == [.lines[] | select(has("charge") and has("description") and has("quantity") and has("unit") and has("amount"))]'
holds out '.taxes == [{"category": "S", "rate": "19", "base": "126.77", "amount": "24.09"}] and .net == "126.77" and .total == "150.86"'
holds out '[.lines[] | [.charge, .quantity, .amount]] == [["disk.writes", "123456.789", "6.17"], ["gpu", "100.5", "120.60"]]'
expect 0 "$ratel" invoice show INV-2026-000004 --output json
holds out '.currency == "USD" and .taxes == [] and .notes == ["No tax: the account has no tax country."] and .total == "2.25"'
expect 66 "$ratel" invoice show INV-2026-000005
says err 'no invoice INV-2026-000005'
expect 0 "$ratel" invoice list --account acme --output csv
says out '^INV-2026-000001,issued,2026-10'

expect 0 "$ratel" invoice export --format jsonl --out batch --period 2026-10
expect 0 "$ratel" invoice export --format csv --out batch --period 2026-10
[ "$(ls -A batch)" = "invoices-2026-10.csv
invoices-2026-10.jsonl" ] || { echo "FAILED: the export left other files" >&2; ls -A batch >&2; failures=$((failures + 1)); }
jq -s '.' batch/invoices-2026-10.jsonl >all.json
holds all.json "length == 4 and all(.[]; $sums)"
expect 0 "$ratel" invoice show INV-2026-000003 --output json
cp out third.json
jq -s '.[0][2] == .[1]' all.json third.json >same.json
holds same.json '.'
[ "$(wc -l <batch/invoices-2026-10.csv)" -eq 6 ] || { echo "FAILED: the CSV has not 5 lines and a heading" >&2; failures=$((failures + 1)); }
says batch/invoices-2026-10.csv "ip.public,\"'=Public \"\"IPv4\"\", address\",32,day"
expect 73 "$ratel" invoice export --format csv --out no/such/place
expect 64 "$ratel" invoice export --format pdf-of-old --out batch

# What is invoiced is what `ratel spend` shows.
jq '[.accounts[] | {account, total}]' spend.json >spent.json
jq -s '.[0] as $spent | [.[1][] | select(.account != "chai") | . as $i | $spent[] | select(.account == $i.account and .total != $i.net)] == []' spent.json all.json >same.json
holds same.json '.'

# ---- numbers go on, year by year ----------------------------------------------------------------------------
expect 0 "$ratel" bill finalize --period 2026-11 --now 2026-12-01T09:00:00Z --output json
holds out '[.invoices[].number] == ["INV-2026-000005"]'
event n1 acme gpu.time 1 2026-12-05 >december.json
expect 0 "$ratel" ingest december.json
expect 0 "$ratel" bill finalize --period 2026-12 --now 2027-01-02T09:00:00Z --output json
holds out '[.invoices[].number] == ["INV-2027-000001"]'
event n2 acme gpu.time 50 2026-10-09 >later.json
expect 0 "$ratel" ingest later.json
expect 0 "$ratel" bill run --period 2026-10
says err 'INV-2026-000001 was issued with 476.00, usage and prices now come to 547.40 EUR; it is not changed'
expect 0 "$ratel" invoice show INV-2026-000001 --output json
holds out '.total == "476.00"'

# ---- an account without an exchange rate --------------------------------------------------------------------
cat >mexico.yaml <<'YAML'
{kind: accounts, accounts: [{id: tortuga, name: Tortuga, currency: MXN, catalogue: public}]}
YAML
expect 0 "$ratel" load mexico.yaml
{
    event m1 tortuga gpu.time 5 2027-01-05
    event m2 acme gpu.time 5 2027-01-05
} >january.json
expect 0 "$ratel" ingest january.json
expect 65 "$ratel" bill finalize --period 2027-01 --now 2027-02-02T09:00:00Z --output json
says err 'not billed, 1 account: tortuga: no exchange rate from EUR to MXN'
holds out '(.invoices | length) == 1 and .refused[0].account == "tortuga"'
printf 'date,base,quote,rate\n2027-01-29,EUR,MXN,21.5\n' >mxn.csv
expect 0 "$ratel" load mxn.csv
expect 0 "$ratel" bill finalize --period 2027-01 --now 2027-02-02T09:00:00Z --output json
holds out '.invoices | length == 1 and .[0].account == "tortuga" and .[0].number == "INV-2027-000003" and .[0].total == "129.00"'
holds out '.invoices[0].fx == [{"from": "EUR", "to": "MXN", "rate": "21.5", "date": "2027-01-29", "source": .invoices[0].fx[0].source}]'

# ---- budgets and the outbox ---------------------------------------------------------------------------------
expect 0 "$ratel" budget list --period 2026-10 --output json
holds out ".budgets[] | select(.account == \"acme\") | .fired == [50, 80] and .spend == \"460.00\" and .percent == 92"
expect 0 "$ratel" budget set --account 'Bergwerk eG' --amount 120 --currency EUR --thresholds 50,100 --email ops@bergwerk.example
expect 0 "$ratel" budget list --account bergwerk --period 2026-10 --output json
holds out '.budgets | length == 1 and .[0].thresholds == [50, 100] and .[0].fired == [50, 100] and .[0].emails == ["ops@bergwerk.example"]'
expect 65 "$ratel" budget set --account 'Bergwerk eG' --amount 120 --thresholds 100,50
says err 'thresholds must rise'
expect 66 "$ratel" budget set --account nobody --amount 120
expect 0 "$ratel" outbox list --output json
holds out '.messages | all(.status == "pending" and .attempts == 0)'
holds out ".messages[] | select(.kind == \"budget.threshold\" and .account == \"acme\" and .threshold == 80) | .period == \"2026-10\" and .spend == \"400.00\""
holds out '[.messages[] | select(.kind == "invoice.issued") | .number] | sort | . == ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003", "INV-2026-000004", "INV-2026-000005", "INV-2027-000001", "INV-2027-000002", "INV-2027-000003"]'
messages=$(jq '.messages | length' out)
expect 0 "$ratel" outbox drop invoice:INV-2026-000001
expect 65 "$ratel" outbox drop invoice:INV-2026-000001
expect 0 "$ratel" outbox send --to sent.jsonl
[ "$(jq -s 'map(.id) | unique | length' sent.jsonl)" -eq $((messages - 1)) ] || { echo "FAILED: not every message was sent" >&2; failures=$((failures + 1)); }
expect 0 "$ratel" outbox list --status pending --output json
holds out '.messages == []'
expect 0 "$ratel" outbox retry invoice:INV-2026-000001
expect 0 "$ratel" outbox retry invoice:INV-2026-000001
says out '^message invoice:INV-2026-000001 is pending already$'
expect 64 "$ratel" outbox retry
expect 66 "$ratel" outbox retry nothing
expect 0 "$ratel" outbox send --to sent.jsonl
[ "$(jq -s 'map(.id) | (length == (unique | length)) and length' sent.jsonl)" = true ] || { echo "FAILED: a message was sent twice" >&2; failures=$((failures + 1)); }
expect 0 "$ratel" outbox retry --all --output json
holds out ".pending == $messages"
expect 0 "$ratel" verify

# ---- killed at any point, and run again: no gap, no double ---------------------------------------------------
export RATEL_DATA="$work/killed"
expect 0 "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
{
    echo 'kind: accounts'
    echo 'accounts:'
    for i in $(seq 1000 1999); do echo "  - {id: a$i, currency: EUR, catalogue: public, tax: {country: DE}}"; done
} >many.yaml
for i in $(seq 1000 1999); do event "k$i" "a$i" gpu.time "$i.5" 2026-10-05; done >many.json
expect 0 "$ratel" load documents.yaml many.yaml
expect 0 "$ratel" ingest many.json
for delay in 0.01 0.02 0.03 0.05 0.07 0.1 0.15 0.2; do
    "$ratel" bill finalize --period 2026-10 >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    expect 0 "$ratel" invoice list --status issued --output json
    holds out '.invoices | length == 0 or length == 1000'
done
expect 0 "$ratel" bill finalize --period 2026-10
expect 0 "$ratel" invoice list --output json
holds out '[.invoices[].number] == [range(1; 1001) | "INV-2026-" + ("000000" + tostring)[-6:]]'
holds out '[.invoices[].account] | (unique | length) == 1000'
expect 0 "$ratel" outbox list --output json
holds out '.messages | length == 1000'

# ---- one charge with prices in two currencies: one line, included units taken off once, the rate on the document -----------------

export RATEL_DATA="$PWD/mixed"
cat >mixed.yaml <<'YAML'
kind: accounts
accounts: [{id: u, name: u, currency: USD, catalogue: c}]
---
kind: catalogue
name: c
ratecard: r
---
kind: fx
source: T
rates: [{date: 2026-10-30, base: EUR, quote: USD, rate: "1.1"}]
---
kind: ratecard
name: r
currency: EUR
effective_from: 2026-10-01T00:00:00Z
charges:
  - code: calls
    meter: calls
    unit: unit
    included: 10
    prices:
      - {where: {k: a}, price: {EUR: "1", USD: "2"}}
      - {price: "1"}
YAML
cat >mixed.ndjson <<'JSON'
{"id":"1","account":"u","meter":"calls","quantity":16,"time":"2026-10-05T00:00:00Z","k":"a"}
{"id":"2","account":"u","meter":"calls","quantity":16,"time":"2026-10-05T00:00:00Z"}
JSON
expect 0 "$ratel" init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"}
expect 0 "$ratel" load mixed.yaml
expect 0 "$ratel" ingest mixed.ndjson
expect 0 "$ratel" bill finalize --period 2026-10 --output json
holds out '.invoices[0].lines | length == 1'
holds out '.invoices[0].net == "29.60"' # (16 - 10) x 2 + 16 x 1.1
holds out '.invoices[0].fx | length == 1 and .[0].from == "EUR" and .[0].to == "USD" and .[0].rate == "1.1" and .[0].source == "T"'
expect 0 "$ratel" explain INV-2026-000001 --charge calls
says out '^rate *16 EUR x 1.1 = 17.6 USD, by 1 EUR = 1.1 USD of 2026-10-30, T$'

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
fi
echo "billing: all checks passed"
