#!/bin/sh
# The command line's contract, from outside: exit codes, messages with their place, all or nothing, help. $1: the build directory.
set -eu

build=$(cd "${1:?usage: cli_test.sh BUILD_DIR}" && pwd)
ratel=$build/bin/ratel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA RATEL_NOW
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

same() {
    if [ "$1" != "$2" ]; then
        echo "FAILED: \"$1\" is not \"$2\" ($3)" >&2
        failures=$((failures + 1))
    fi
}

# json FILTER: the jq filter is true of what was printed.
json() {
    if ! jq -e "$1" out >/dev/null; then
        echo "FAILED: not so: $1" >&2
        cat out >&2
        failures=$((failures + 1))
    fi
}

# digest: the content of the book, as far as files tell (the lock file of readers changes).
digest() {
    sha256sum ratel-data/book/data.mdb ratel-data/FORMAT | sha256sum
}

cat >card.yaml <<'YAML'
kind: ratecard
name: public
currency: EUR
effective_from: 2026-10-01T00:00:00Z
charges:
  - code: net.egress
    description: Traffic out
    meter: network.sent
    unit: GiB
    model: graduated
    tiers:
      - {up_to: 100, price: "0"}
      - {price: "0.094"}
YAML
sed -e 's/0\.094/0.095/' card.yaml >card2.yaml
cat >accounts.yaml <<'YAML'
kind: catalogue
name: public
ratecard: public
---
kind: accounts
accounts:
  - {id: a1, name: acme, currency: EUR, catalogue: public}
YAML
cat >bad.yaml <<'YAML'
kind: ratecard
name: bad
currency: EUR
effective_from: 2026-10-01T00:00:00Z
charges:
  - code: x
    meter: vm.running
    unit: hour
    price: 0.02
    colour: red
YAML

echo "help, version, wrong use"
expect 0 "$ratel" --version
says out '^ratel [0-9]'
expect 0 "$ratel" --help
sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p' out >verbs
same "$(head -1 verbs)" init "the first verb"
while read -r verb; do
    expect 0 "$ratel" "$verb" --help
    says out '^Examples:'
    says out "^  ratel $verb"
done <verbs
expect 0 "$ratel" manual
says out '^\.Dt RATEL 1'
expect 64 "$ratel"
expect 64 "$ratel" laod card.yaml
says err '^ratel: .*did you mean "load"'
same "$(wc -l <err)" 1 "one line"
expect 64 "$ratel" load --dta x card.yaml
says err 'did you mean --data'
expect 64 "$ratel" check
expect 64 "$ratel" check --output xml card.yaml
expect 64 "$ratel" check --now soon card.yaml
expect 64 "$ratel" check - -

echo "no data directory yet"
expect 66 "$ratel" load card.yaml
says err 'ratel init'
expect 66 "$ratel" diff card.yaml
expect 66 "$ratel" check missing.yaml
says err '^ratel: .*missing.yaml'
expect 0 "$ratel" check card.yaml accounts.yaml
says out 'ratecard public'
test ! -e ratel-data

echo "check finds everything, with places"
expect 65 "$ratel" check card.yaml bad.yaml
says err '^bad.yaml:9:[0-9]*: '
says err '^bad.yaml:10:[0-9]*: .*colour'
says err '^ratel: [0-9]* problems; nothing is changed'
expect 65 "$ratel" check --output json bad.yaml
json '.ok == false and (.problems | length) >= 2 and .problems[0].line == 9'

echo "init"
expect 0 "$ratel" init
says out 'operator.key'
same "$(stat -c %a ratel-data/operator.key)" 600 "mode of the key"
cp ratel-data/operator.key key
expect 73 "$ratel" init
cmp key ratel-data/operator.key
mkdir full
touch full/file
expect 73 "$ratel" init --data full
expect 73 "$ratel" init --data full/no/such/data
says err 'create .*full/no/such first'
expect 0 "$ratel" init --data other --output json
json '.data == "other"'
expect 66 "$ratel" load --data full card.yaml

echo "load: all or nothing, twice is once"
before=$(digest)
expect 65 "$ratel" load card.yaml bad.yaml accounts.yaml
says err '^bad.yaml:9:'
says err 'nothing is stored'
same "$(digest)" "$before" "a bad file among good ones"
expect 0 "$ratel" load --output json card.yaml accounts.yaml
json '.stored == 3 and .unchanged == 0 and (.documents | length) == 3'
before=$(digest)
expect 0 "$ratel" load --output json card.yaml accounts.yaml
json '.stored == 0 and .unchanged == 3'
same "$(digest)" "$before" "the same files again"
expect 0 sh -c "cat card2.yaml | '$ratel' load --output csv -"
says out '^stored,'
expect 65 "$ratel" load card.yaml card2.yaml
says err "^card2.yaml:1:1: contradicts"
sed -e 's/acme/Acme Ltd/' accounts.yaml >renamed.yaml
expect 0 "$ratel" load --output json renamed.yaml card2.yaml
json '[.documents[] | .status] == ["unchanged", "stored", "unchanged"]'
gzip -k card2.yaml
expect 0 "$ratel" load card2.yaml.gz
says out '^unchanged'

cat >twice.yaml <<'YAML'
kind: accounts
accounts:
  - {id: a2, currency: EUR, catalogue: public, projects: [a1]}
YAML
expect 65 "$ratel" load twice.yaml
says err '^twice.yaml:3:5: `a1` has two payers'

echo "quarantine"
printf '{"id":"q1","account":"a1","meter":"two words","quantity":"1","time":"2026-10-05T00:00:00Z"}\n' >quarantined.json
expect 0 "$ratel" ingest quarantined.json
expect 0 "$ratel" quarantine show 1 --output csv
tr -d '\r' <out >plain
mv plain out
same "$(wc -l <out)" 2 "one row and its heading"
says out '^id,state,reason,source,file,line,offset,form,at,bytes$'
says out '^1,open,meter has a blank or a control character in its name: write it as one word,[^,]*,quarantined.json,1,0,json,2[^,]*Z,[0-9]*$'
expect 0 "$ratel" verify
echo "load: what is there is rated again, and how long it took is told"
cp -r ratel-data rerated-data
printf '{"id":"r%d","account":"a1","meter":"network.sent","quantity":"1","time":"2026-10-05T00:00:00Z"}\n' 1 2 3 >rerated.json
expect 0 "$ratel" ingest --data rerated-data rerated.json
sed -e 's/0\.094/0.096/' card.yaml >card3.yaml
expect 0 "$ratel" load --data rerated-data --output json card3.yaml
json '.stored == 1 and .rerated.events == 3 and .rerated.pass_us >= 0 and .rerated.durable_us >= .rerated.pass_us'
expect 0 "$ratel" load --data rerated-data --output json card3.yaml accounts.yaml
json 'has("rerated") | not'
cp -r ratel-data damaged-data
segment=$(ls damaged-data/quarantine/*.seg)
expect 0 "$ratel" quarantine list --data damaged-data
printf '{"id":"q2","account":"a1","meter":"two more words","quantity":"1","time":"2026-10-05T00:00:00Z"}\n' >quarantined.json
expect 0 "$ratel" ingest --data damaged-data quarantined.json
printf 'XXXX' | dd of="$segment" bs=1 seek=120 conv=notrunc 2>dd.err
expect 74 "$ratel" verify --data damaged-data
says err 'quarantine'
printf '\3757zXZ\0' >usage.xz
expect 74 "$ratel" ingest usage.xz
says err 'usage.xz: xz-compressed: decompress it first; gzip and zstd are read as they are'

echo "diff"
expect 0 "$ratel" diff --output json card.yaml
json '.differences | length >= 1'
expect 0 "$ratel" diff --output json card2.yaml
json '.differences == []'

echo "quote"
expect 0 "$ratel" quote --card card.yaml --charge net.egress --quantity 150 --output json
json '.amount == "4.7" and .currency == "EUR" and .rounded == "4.70" and (.steps | length) == 2 and .steps[0].up_to == "100"
       and .steps[1].up_to == null and .steps[1].quantity == "50" and .steps[1].amount == "4.7"'
expect 0 "$ratel" quote --card card.yaml --charge net.egress --quantity 150
says out '^rounded .* 4\.70$'
expect 64 "$ratel" quote --card card.yaml --charge net.egress
says err 'quantity'
expect 65 "$ratel" quote --card card.yaml --charge net.ingress --quantity 1
says err 'net.egress'
expect 65 "$ratel" quote --card bad.yaml --charge x --quantity 1
says err '^bad.yaml:9:'
expect 66 "$ratel" quote --card missing.yaml --charge x --quantity 1

echo "locked, full disk, closed pipe, permission"
exec 9<>ratel-data/LOCK.book
flock 9
expect 75 "$ratel" load card.yaml
says err 'in use by .*: wait for it or stop it'
expect 0 "$ratel" check card.yaml
exec 9>&-
exec 9<>ratel-data/LOCK
flock 9
expect 75 "$ratel" ingest card.yaml
says err 'in use by .*: wait for it or stop it'
expect 0 "$ratel" load card.yaml
says err 'the running ingest .* takes them over'
exec 9>&-
expect 74 sh -c "'$ratel' --help >/dev/full"
says err 'cannot write the output: .*: free space and run again'
expect 74 sh -c "'$ratel' --help >&-"
expect 0 sh -c "'$ratel' --help | head -1"
same "$(wc -c <err)" 0 "a reader that left is no news"
# Root may do anything, so the test steps down where it can.
user=
runnable=true
if [ "$(id -u)" -eq 0 ]; then
    user="setpriv --reuid=65534 --regid=65534 --clear-groups"
    chmod 755 "$work"
    $user "$ratel" --version >out 2>err || runnable=false
fi
if $runnable; then
    cp card2.yaml secret.yaml
    chmod 000 secret.yaml
    expect 77 $user "$ratel" check --data none secret.yaml
    says err '^ratel: .*secret.yaml'
    chmod 000 ratel-data
    expect 77 $user "$ratel" load card.yaml
    chmod 700 ratel-data
    mkdir closed
    chmod 500 closed
    expect 77 $user "$ratel" init --data closed/data
fi

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
fi
echo "all passed"
