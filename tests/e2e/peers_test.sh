#!/bin/sh
# The comparison with peers, small and with SQLite alone: its job in SQL comes to Ratel's spend to the last digit, and a digit that differs is
# found. $1: the build directory.
set -eu

build=$(cd "${1:?usage: peers_test.sh BUILD_DIR}" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
if ! python3 -c 'import argparse, sqlite3, statistics' 2>/dev/null; then
    echo "skipped: python3 has no sqlite3 module (Debian: python3)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"$source/bench/peers/run" --build "$build" --records 20000 --rounds 1 --only sqlite --keep "$work/kept" --json >facts 2>err || {
    cat err >&2
    exit 1
}
cat >check.py <<'E2'
import json, sys
sys.path.insert(0, sys.argv[1] + "/bench/peers")
sys.dont_write_bytecode = True
import comparison
facts = json.load(open("facts"))
assert facts["skipped"] == {}, facts["skipped"]
assert sorted(facts["lines_compared"]) == ["columns", "json", "rerate"] and min(facts["lines_compared"].values()) > 200, facts["lines_compared"]
assert all({"ratel", "sqlite"} == set(rows) for rows in facts["jobs"].values())
rerate = facts["jobs"]["rerate"]
assert 0 < rerate["ratel"]["pass_seconds"] <= rerate["ratel"]["durable_seconds"] <= rerate["ratel"]["seconds"], rerate
assert rerate["sqlite"]["pass_seconds"] == rerate["sqlite"]["steps"]["group"], rerate
rows = open("kept/sqlite.result").read().splitlines()
right = comparison.read_result("kept/sqlite.result", "kept/card1")
assert comparison.difference(right, comparison.read_spend("kept/ratel.result")) is None
for place, step in ((-1, 1), (-2, 10**9)):  # one 10^-12 of an amount, the smallest unit of a quantity that is shown
    fields = rows[0].split(",")
    fields[place] = str(int(fields[place]) + step)
    open("wrong", "w").write("\n".join([",".join(fields), *rows[1:]]) + "\n")
    assert comparison.difference(right, comparison.read_result("wrong", "kept/card1")), fields
open("wrong", "w").write("\n".join(rows[1:]) + "\n")
assert comparison.difference(right, comparison.read_result("wrong", "kept/card1"))
E2
python3 check.py "$source"
# A peer that cuts amounts off where it should round them voids the comparison.
cp -r "$source/bench/peers" peers
sed -i 's/^    return whole + .*/    return whole/' peers/sqlite_peer.py
! cmp -s peers/sqlite_peer.py "$source/bench/peers/sqlite_peer.py"
code=0
peers/run --build "$build" --records 20000 --rounds 1 --only sqlite --jobs json >out 2>err || code=$?
[ "$code" -eq 1 ] && [ ! -s out ] && grep -q '^bench/peers/run: void: json: sqlite: account ' err || {
    cat out err >&2
    echo "FAILED: a wrong result does not void the comparison" >&2
    exit 1
}
# A peer that cannot go on is left out with its reason, and the others are told.
sed -i 's/^    connection = sqlite3.connect(database)/    raise SystemExit("no more")/' peers/sqlite_peer.py
peers/run --build "$build" --records 20000 --rounds 2 --only sqlite --jobs rerate --markdown >out 2>err || {
    cat err >&2
    exit 1
}
grep -q '^Skipped: sqlite, from round 1, json on: .*no more' out
grep -q '^| ratel | its own store | [0-9.]* | [0-9.]* - [0-9.]* | [0-9,]* |  | [0-9.]* |  |$' out
if grep -q '^| sqlite' out; then
    echo "FAILED: a peer that did not run is in the table" >&2
    exit 1
fi
# The same digits twice, and other prices for the other card.
"$build/bin/ratel-gen" --seed 1 --zones 10 --stable --projects 0 --series 6400 --accounts 200 --days 1 --form ndjson >sample
"$source/bench/peers/make-card" --out again <sample
cmp again/card.yaml kept/card1/card.yaml
! cmp -s kept/card1/card.yaml kept/card2/card.yaml
[ "$(grep -c '^      - {' again/card.yaml)" -eq 1000 ]
echo "all passed"
