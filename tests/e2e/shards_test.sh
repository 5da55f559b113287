#!/bin/sh
# A data directory with several shards says what one with a single shard says, byte for byte but for the numbers that name a place (conflict,
# series, journal frame, shard): spend and its parts, gaps, suspense, quarantine, budgets, outbox, bills, invoices, explanations, verify.
# $1: the build directory.
set -eu

build=$(cd "${1:?usage: shards_test.sh BUILD_DIR}" && pwd)
PATH=$build/bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/ratel-shards.XXXXXX")
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
  - {code: vm, meter: vm.running, unit: hour, included: 10, model: graduated, tiers: [{up_to: 200, price: "0.05"}, {price: "0.031"}]}
  - {code: each, scope: resource, meter: vm.running, unit: hour, price: "0.001", minimum: "0.103"}
  - {code: net, scope: resource, meter: network.sent, unit: GiB, model: volume, tiers: [{up_to: 100, price: "0.05"}, {price: "0.03"}]}
  - {code: licence, meter: licence, unit: unit, price: "1.5"}
---
kind: ratecard
name: card
currency: EUR
effective_from: 2026-10-03T00:00:00Z
charges:
  - {code: vm, meter: vm.running, unit: hour, included: 10, model: graduated, tiers: [{up_to: 200, price: "0.06"}, {price: "0.031"}]}
  - {code: each, scope: resource, meter: vm.running, unit: hour, price: "0.002", minimum: "0.103"}
  - {code: net, scope: resource, meter: network.sent, unit: GiB, model: volume, tiers: [{up_to: 100, price: "0.05"}, {price: "0.03"}]}
  - {code: licence, meter: licence, unit: unit, price: "1.5"}
---
kind: catalogue
name: public
ratecard: card
YAML
# Each account pays for projects, which have ids of their own and so shards of their own. p9 has no payer.
cat >accounts.yaml <<'YAML'
kind: accounts
accounts:
  - {id: a1, name: acme, currency: EUR, catalogue: public, projects: [p1, p2, p3, p4]}
  - {id: a2, name: initech, currency: EUR, catalogue: public, timezone: Asia/Kolkata, projects: [p5, p6]}
  - {id: a3, name: hooli, currency: EUR, catalogue: public}
---
kind: budgets
budgets:
  - {id: b1, account: a1, amount: "20", currency: EUR, thresholds: [10, 50, 75, 100, 200], email: [ops@acme.example]}
  - {id: b2, account: a2, amount: "10", currency: EUR, thresholds: [10, 50, 75, 100]}
YAML
python3 -S - >usage.ndjson <<'PYTHON'
import json, random
random.seed(5)
payers = ["a1", "p1", "p2", "p3", "p4", "a2", "p5", "p6", "a3", "p9"]
lines = []
for day in range(1, 11):
    for number, payer in enumerate(payers):
        for vm in range(3):
            if random.random() < 0.1:
                continue  # a gap
            record = {"meter": "vm.running", "account": payer, "resource": f"vm-{vm if vm == 0 else payer + str(vm)}",
                      "start": f"2026-10-{day:02}T00:00:00Z", "end": f"2026-10-{day + 1:02}T00:00:00Z", "quantity": str(random.randint(1, 24))}
            lines.append(record)
            if random.random() < 0.05:
                lines.append(record)
            if random.random() < 0.05:
                lines.append(dict(record, quantity="25"))
        lines.append({"meter": "network.sent", "account": payer, "resource": f"net-{number % 3}", "quantity": str(random.randint(1, 10**11)),
                      "start": f"2026-10-{day:02}T00:00:00Z", "end": f"2026-10-{day + 1:02}T00:00:00Z"})
        for meter in ("licence", "tokens", "pages"):
            record = {"meter": meter, "account": payer, "resource": "shared", "quantity": "1", "id": f"{meter}-{day}-{number}",
                      "time": f"2026-10-{day:02}T12:00:00Z"}
            lines.append(record)
            if number % 4 == 0:  # the same id by another payer
                lines.append(dict(record, account="a3"))
        lines.append({"meter": "vm.running", "account": payer, "quantity": "x"})
for line in lines:
    print(json.dumps(line))
PYTHON

# tell DIR: everything that anybody can ask.
tell() {
    for by in charge resource day zone; do
        ratel spend --data "$1" --period 2026-10 --by $by --output csv
        ratel spend --data "$1" --period 2026-10 --by $by --output json
    done
    ratel spend --data "$1" acme --period 2026-10
    ratel gaps --data "$1" --output csv | sort
    ratel suspense list --data "$1" --output json | jq '.conflicts |= (map(del(.id)) | sort_by(tostring))'
    ratel suspense list --data "$1" --output csv | sed 's/^[0-9]*,/,/' | sort
    ratel quarantine list --data "$1" --output csv
    ratel budget list --data "$1" --period 2026-10 --output json
    # An alert tells the spend of the moment at which budgets were looked at, a tenth of a second apart.
    ratel outbox list --data "$1" --output json | jq 'walk(if type == "object" then del(.spend, .percent) else . end)'
    ratel bill preview --data "$1" --period 2026-10 --output json
    for charge in vm each net licence; do
        for account in a1 a2 a3; do
            # The series of a part by what they are, not by the order in which shards are read.
            ratel explain --data "$1" $account --charge $charge --period 2026-10 --output json |
                jq 'del(.parts[].series[] | (.series, (.windows[] | (.frame, .shard)))) | del(.groups[].part_first)
                    | .parts |= (map(.series |= (map(.windows |= sort_by(.start, .counted)) | sort_by(.source, .meter, .payer, .resource)))
                        | sort_by(tostring)) | .groups |= sort_by(tostring)'
            ratel explain --data "$1" $account --charge $charge --period 2026-10 --output csv | cut -d, -f1-5,7-12 | sort
            ratel explain --data "$1" $account --charge $charge --period 2026-10 | grep -c "^  series" || true
        done
    done
    ratel verify --data "$1" --output json
}

for shards in 1 2 3 7 100; do
    ratel init --data "data-$shards" --shards $shards >/dev/null
    [ "$(ls -d "data-$shards"/shard-* | wc -l)" -eq $shards ] || failed "$shards shards are not made"
    ratel load --data "data-$shards" card.yaml accounts.yaml >/dev/null
    ratel ingest --data "data-$shards" --batch 50 --output json usage.ndjson >"counts-$shards"
    cmp -s counts-1 "counts-$shards" || failed "other counts with $shards shards: $(tr -d '\n' <"counts-$shards")"
    tell "data-$shards" >"told-$shards" 2>err || failed "a command fails with $shards shards: $(cat err)"
    if ! cmp -s told-1 "told-$shards"; then
        diff told-1 "told-$shards" | head -n 20 >&2
        failed "with $shards shards something is told otherwise"
    fi
done
jq -e '.accepted > 400 and .duplicate > 5 and .conflict > 30 and .quarantined == 100' counts-1 >/dev/null || failed "poor usage: $(cat counts-1)"
[ "$(ratel outbox list --data data-1 --output json | jq '.messages | length')" -gt 4 ] || failed "too few alerts"

# A number that a person typed means the same conflict until it is gone, whatever comes after.
data=data-3
[ "$(du -s data-3/shard-0?/journal | awk '$1 > 0' | wc -l)" -eq 3 ] || failed "not every shard has a journal"
ratel suspense list --data $data --output json >before
number=$(jq '.conflicts[3].id' before)
ratel suspense show --data $data "$number" --output json >shown
jq -e --argjson number "$number" '.conflict.id == $number and (.counted | length) > 0 and (.counted[0] | has("shard"))' shown >/dev/null ||
    failed "show: $(cat shown)"
ratel suspense show --data $data "$number" | grep -q 'of shard-0[0-2])$' || failed "show does not name the shard"
ratel suspense discard --data $data "$number" >/dev/null || failed "discard"
ratel suspense list --data $data --output json >after
jq -e --argjson number "$number" --slurpfile before before '[.conflicts[].id] == [$before[0].conflicts[].id | select(. != $number)]' after >/dev/null ||
    failed "other conflicts than the discarded one are gone"
ratel verify --data $data >/dev/null || failed "verify after discard"
# A checkpoint that is missing is derived again; one journal that is missing is told, with its shard.
rm -r data-3/shard-01/ledger
ratel spend --data $data --period 2026-10 --output csv >again
ratel spend --data data-1 --period 2026-10 --output csv >one
cmp -s one again || failed "a shard without a checkpoint"
mv data-3/shard-02/journal moved
ratel verify --data $data >out 2>err && failed "a missing journal is not told"
grep -q shard-02 err || failed "a missing journal is told without its shard: $(cat err)"
mv moved data-3/shard-02/journal

# Loading changes prices in every shard; records that come later find what is counted.
sed 's/"0.05"/"0.07"/' card.yaml >dearer.yaml
for shards in 1 7; do
    ratel load --data "data-$shards" dearer.yaml >/dev/null
    ratel ingest --data "data-$shards" --output json usage.ndjson >"counts-$shards"
    jq -e '.accepted == 0' "counts-$shards" >/dev/null || failed "counted twice with $shards shards"
    tell "data-$shards" >"told-$shards" 2>err || failed "a command fails with $shards shards: $(cat err)"
    ratel bill run --data "data-$shards" --period 2026-10 >/dev/null 2>&1
    ratel bill finalize --data "data-$shards" --period 2026-10 >/dev/null 2>&1
    ratel invoice list --data "data-$shards" --output json >>"told-$shards"
done
cmp -s told-1 told-7 || failed "dearer, 1 and 7 shards: $(diff told-1 told-7 | head)"

[ "$failures" -eq 0 ] || exit 1
echo "all passed"
