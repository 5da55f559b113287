#!/bin/sh
# What CloudStack really sends, by hand: every wart is one small input, and every record is counted where it belongs.
# read = accepted + duplicate + conflict + ignored + quarantined, exactly. $1: the build directory.
set -eu

build=$(cd "${1:?usage: warts_test.sh BUILD_DIR}" && pwd)
PATH=$build/bin:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/ratel-warts.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
unset RATEL_DATA RATEL_NOW
failures=0
RATEL_NOW=2026-11-02T00:00:00Z
export RATEL_NOW

failed() {
    echo "FAILED: $title: $*" >&2
    failures=$((failures + 1))
}

# case TITLE: a data directory of its own, with two accounts; the second pays for a project.
case_of() {
    title=$1
    rm -rf data
    ratel init ${RATEL_TEST_SHARDS:+--shards "$RATEL_TEST_SHARDS"} --data data >/dev/null
    ratel load --data data accounts.yaml >/dev/null
}

# counts CODE "READ ACCEPTED DUPLICATE CONFLICT IGNORED QUARANTINED" ARGUMENT...: ingests; out and err stay.
counts() {
    expected_code=$1
    expected=$2
    shift 2
    code=0
    ratel ingest --data data --output json "$@" >out 2>err || code=$?
    [ "$code" -eq "$expected_code" ] || failed "exit code $code, not $expected_code: $* $(cat err)"
    got=$(jq -r '"\(.read) \(.accepted) \(.duplicate) \(.conflict) \(.ignored) \(.quarantined)"' out 2>/dev/null || true)
    if [ "$got" != "$expected" ]; then
        failed "counts $got, not $expected ($*)"
        ratel quarantine list --data data >&2
    fi
    ratel verify --data data >verified 2>&1 || failed "verify: $(cat verified)"
}

# says TEXT: standard error of the last ingest has it.
says() {
    grep -q -e "$1" err || failed "no \"$1\" in: $(cat err)"
}

# unpriced ACCOUNT METER QUANTITY [PERIOD]: what the account has used; - for none.
unpriced() {
    got=$(ratel spend --data data --period "${4:-2026-10}" --output json |
        jq -r --arg account "$1" --arg meter "$2" \
            '[.accounts[] | select(.account == $account) | .unpriced[] | select(.meter == $meter) | .quantity] | if . == [] then "-" else .[0] end')
    [ "$got" = "$3" ] || failed "$1 has $got of $2, not $3"
}

# reasons PATTERN...: the quarantined records' reasons, in order.
reasons() {
    ratel quarantine list --data data --output json | jq -r '.records[].reason' >reasons
    for pattern in "$@"; do
        head -n 1 reasons | grep -q -e "$pattern" || failed "no reason \"$pattern\" but \"$(head -n 1 reasons)\""
        sed -i 1d reasons
    done
    [ ! -s reasons ] || failed "more reasons: $(cat reasons)"
}

# series N: how many different ones there are.
series() {
    got=$(ratel verify --data data --output json | jq .series)
    [ "$got" = "$1" ] || failed "$got series, not $1"
}

cat >accounts.yaml <<'YAML'
kind: accounts
accounts:
  - {id: a1, name: acme, currency: EUR, catalogue: public}
  - {id: a2, name: initech, currency: EUR, catalogue: public, projects: [p1, p2]}
YAML

# vm N RAWUSAGE [MEMBER]: a day of a running machine of account a1, as JSON; RAWUSAGE as it stands, quotes and all.
vm() {
    printf '{"account":"acme","accountid":"a1","domainid":"d1","zoneid":"z1","description":"Running VM usage for vm-%s","usage":"24 Hrs",' "$1"
    printf '"usagetype":1,"rawusage":%s,"virtualmachineid":"vm-%s","offeringid":"o1","usageid":"vm-%s","cpunumber":2,' "$2" "$1" "$1"
    printf '"startdate":"2026-10-05T00:00:00+0000","enddate":"2026-10-05T23:59:59+0000"%s,"tags":[]}' "${3:+,$3}"
}

# of TYPE RAWUSAGE MEMBERS [START END]: a record with just what it needs.
of() {
    printf '{"accountid":"a1","zoneid":"z1","usagetype":%s,"rawusage":"%s",%s,"startdate":"%s","enddate":"%s","tags":[]}\n' "$1" "$2" "$3" \
        "${4:-2026-10-05T00:00:00+0000}" "${5:-2026-10-05T23:59:59+0000}"
}

envelope() {
    printf '{"listusagerecordsresponse":{"count":%s,"usagerecord":[' "$1"
    shift
    separator=
    for one in "$@"; do
        printf '%s%s' "$separator" "$one"
        separator=,
    done
    printf ']}}\n'
}

# ---- envelopes ----------------------------------------------------------------------------------------------------------

case_of "an answer without records"
printf '{"listusagerecordsresponse":{}}' >empty.json
printf '{"listusagerecordsresponse":{"count":1816}}\n' >past.json
printf '{}' >nothing.json
printf '{"count":0}\n' >cmk.json
printf '<?xml version="1.0" encoding="UTF-8"?><listusagerecordsresponse cloud-stack-version="4.20.0.0"></listusagerecordsresponse>' >empty.xml
printf '<?xml version="1.0"?><listusagerecordsresponse cloud-stack-version="4.20.0.0"><count>12</count></listusagerecordsresponse>' >past.xml
printf '<listusagerecordsresponse cloud-stack-version="4.20.0.0"/>\n' >closed.xml
for file in empty.json past.json nothing.json cmk.json empty.xml past.xml closed.xml; do
    counts 0 "0 0 0 0 0 0" $file
    counts 0 "0 0 0 0 0 0" --format cloudstack $file
done
counts 0 "0 0 0 0 0 0" empty.json past.json empty.xml

case_of "an answer that is an error is told, not counted"
printf '{"listusagerecordsresponse":{"uuidList":[],"errorcode":431,"cserrorcode":9999,"errortext":"Page size is too big"}}\n' >error.json
printf '{"errorresponse":{"uuidList":[],"errorcode":401,"errortext":"unable to verify user credentials and/or request signature"}}' >denied.json
printf '<?xml version="1.0" encoding="UTF-8"?><listusagerecordsresponse cloud-stack-version="4.20.0.0"><errorcode>530</errorcode><cserrorcode>4250</cserrorcode><errortext>NullPointerException</errortext></listusagerecordsresponse>' >error.xml
envelope 1 "$(vm 1 '"24"')" >one.json
counts 65 "0 0 0 0 0 0" error.json
says 'error.json:1.*431.*Page size is too big'
counts 65 "0 0 0 0 0 0" denied.json
says '401.*signature'
counts 65 "0 0 0 0 0 0" error.xml
says '530.*NullPointerException'
counts 65 "1 1 0 0 0 0" error.json one.json error.xml
[ "$(jq .error_envelopes out)" = 2 ] || failed "error envelopes: $(cat out)"
{ envelope 1 "$(vm 2 '"24"')"; cat error.json; envelope 1 "$(vm 3 '"24"')"; } >between.json
counts 65 "2 2 0 0 0 0" between.json
says 'between.json:2'

case_of "envelopes, records and lists in one file"
{
    envelope 2 "$(vm 1 '"24"')" "$(vm 2 '"24"')"
    vm 3 '"24"'
    printf '\n\n'
    printf '[%s,%s]\n' "$(vm 4 '"24"')" "$(vm 5 '"24"')"
    printf '{"listusagerecordsresponse":{}}\n'
    envelope 1 "$(vm 6 '"24"')" | jq .
    printf '{"count":1,"usagerecord":[%s]}' "$(vm 7 '"24"')"
} >mixed.json
counts 0 "7 7 0 0 0 0" mixed.json
unpriced a1 vm.running 168
jq -c . mixed.json | tr '\n' '\r' | sed 's/\r/\r\n/g' >crlf.json
counts 0 "7 0 7 0 0 0" crlf.json
printf '\357\273\277' | cat - mixed.json >bom.json
counts 0 "7 0 7 0 0 0" bom.json
tr -d '\n' <mixed.json >one-line.json
counts 0 "7 0 7 0 0 0" one-line.json

# ---- values -------------------------------------------------------------------------------------------------------------

case_of "rawusage as string, number, with a comma; numbers as strings"
vm 1 '"13.4375"' >string.json
vm 1 13.4375 >number.json
vm 1 '"13,4375"' >comma.json
vm 1 '"13.437500"' >zeros.json
vm 1 1.34375e1 >exponent.json
vm 1 '"13.4375"' | sed -e 's/"usagetype":1/"usagetype":"1"/; s/"cpunumber":2/"cpunumber":"2"/' >quoted.json
counts 0 "1 1 0 0 0 0" string.json
counts 0 "5 0 5 0 0 0" number.json comma.json zeros.json exponent.json quoted.json
unpriced a1 vm.running 13.4375

case_of "quantities that cannot be what they say"
for raw in '"-1"' '"24 Hrs"' '"1.2.3"' '""' '"0.0000001"' null true '"1,234.5"' '[24]'; do
    vm 1 "$raw"
    echo
done >bad.json
counts 0 "9 0 0 0 0 9" bad.json
reasons negative 'not a number' 'not a number' 'not a number' decimals missing 'not a number' 'not a number' rawusage
unpriced a1 vm.running -
counts 0 "9 0 0 0 0 9" bad.json
[ "$(ratel quarantine list --data data --output json | jq '.records | length')" = 9 ] || failed "kept more than once"

case_of "zero is a quantity"
{ of 4 0 '"usageid":"r1"'; of 5 0 '"usageid":"r1"'; of 22 "0.000000" '"usageid":"v1"'; } >zero.json
counts 0 "3 3 0 0 0 0" zero.json
counts 0 "3 0 3 0 0 0" zero.json
of 4 7 '"usageid":"r1"' >other.json
counts 0 "1 0 0 1 0 0" other.json
unpriced a1 network.sent 0

case_of "both date syntaxes are one window"
of 8 24 '"usageid":"i1"' "2026-10-05T00:00:00+0000" "2026-10-05T23:59:59+0000" >new.json
of 8 24 '"usageid":"i1"' "2026-10-05'T'00:00:00+00:00" "2026-10-05'T'23:59:59+00:00" >old.json
of 8 24 '"usageid":"i1"' "2026-10-05'T'02:00:00+02:00" "2026-10-06'T'01:59:59+02:00" >berlin.json
of 8 24 '"usageid":"i1"' "2026-10-05T05:30:00+0530" "2026-10-06T05:29:59+0530" >kolkata.json
counts 0 "1 1 0 0 0 0" new.json
counts 0 "3 0 3 0 0 0" old.json berlin.json kolkata.json
of 8 24 '"usageid":"i1"' "05.10.2026" "2026-10-05T23:59:59+0000" >bad.json
of 8 24 '"usageid":"i1"' "2026-10-06T00:00:00+0000" "2026-10-05T23:59:59+0000" >>bad.json
of 8 24 '"usageid":"i1"' "2026-02-30T00:00:00+0000" "2026-10-05T23:59:59+0000" >>bad.json
counts 0 "3 0 0 0 0 3" bad.json
reasons startdate 'lies after' startdate

case_of "fields: missing, null, empty, unknown, nested, without a payer"
{
    of 1 24 '"virtualmachineid":"vm-1"'
    of 1 24 '"virtualmachineid":"vm-2","name":null,"offeringid":"","templateid":null,"cpunumber":null'
    of 1 24 '"virtualmachineid":"vm-3","hasannotations":false,"jobid":"j","state":"x","newfield":{"a":[1,{"b":"}"}]},"other":[[],{}]'
    of 1 24 '"virtualmachineid":"vm-4","tags":[{"key":"a","value":"b","account":"x"},{"key":"c"}]' | sed 's/,"tags":\[\]//'
    of 1 24 '"virtualmachineid":"vm-5","cpunumber":"two"'
    of 1 24 '"virtualmachineid":"vm-6"' | sed 's/"accountid":"a1",//'
    of 1 24 '"virtualmachineid":"vm-7"' | sed 's/"usagetype":1,//'
    of 1 24 '"virtualmachineid":"vm-8"' | sed 's/"enddate":"[^"]*",//'
    of 17 24 '"virtualmachineid":"vm-9"'
    of 32 24 '"virtualmachineid":"vm-10"'
} >fields.json
counts 0 "10 4 0 0 0 6" fields.json
reasons cpunumber accountid 'usagetype.*meter' enddate 'usagetype 17' 'usagetype 32'
series 4

case_of "text: raw control characters, escapes, other scripts"
{
    vm 1 '"24"' "$(printf '"name":"web\001\002\tone\177"')"
    echo
    vm 2 '"24"' "$(printf '"name":"two\nlines"')"
    echo
    vm 3 '"24"' '"name":"C:\\up\\u","displayname":"a \"quoted\" {brace} [bracket]"'
    echo
    vm 4 '"24"' '"name":"\u00e4\ud83d\ude00 Zürich 北京"'
    echo
    vm 5 '"24"'
    echo
} >text.json
counts 0 "5 5 0 0 0 0" text.json
unpriced a1 vm.running 120
vm 6 '"24"' "$(printf '"name":"\377\376"')" >latin.json
counts 0 "1 0 0 0 0 1" latin.json
reasons UTF-8

case_of "encode.api.response encodes every text"
of 8 24 '"usageid":"i%2F1","name":"two+words%21"' "2026-10-05T00%3A00%3A00%2B0000" "2026-10-05T23%3A59%3A59%2B0000" >encoded.json
of 8 24 '"usageid":"i/1","name":"two words!"' >plain.json
counts 0 "2 1 1 0 0 0" encoded.json plain.json

# ---- what records mean ----------------------------------------------------------------------------------------------------

case_of "projects have no account; the accounts document says who pays"
{
    of 1 24 '"virtualmachineid":"vm-1","projectid":"p1","project":"Apollo"' | sed 's/"accountid":"a1",//'
    of 1 6.5 '"virtualmachineid":"vm-2","projectid":"p2","project":"Gemini"' | sed 's/"accountid":"a1",//'
    of 1 3 '"virtualmachineid":"vm-3","projectid":"p3","project":"unknown"' | sed 's/"accountid":"a1",//'
} >projects.json
counts 0 "3 3 0 0 0 0" projects.json
unpriced a2 vm.running 30.5
[ "$(ratel suspense list --data data --output json | jq -r '[.unpriced[] | select(.reason == "no_account") | .account, .quantity] | join(" ")')" = "p3 3" ] ||
    failed "suspense: $(ratel suspense list --data data)"
sed -e 's/p1, p2/p1, p2, p3/' accounts.yaml >later.yaml
ratel load --data data later.yaml >/dev/null
unpriced a2 vm.running 33.5

case_of "a volume's row for its machine attributes and never charges"
{
    of 6 24 '"usageid":"v1","offeringid":"o1","size":10737418240'
    of 6 24 '"usageid":"v1","offeringid":"o1","size":10737418240,"virtualmachineid":"vm-1"'
    of 6 12 '"usageid":"v1","offeringid":"o1","size":10737418240,"virtualmachineid":"vm-2"'
} >volumes.json
counts 0 "3 1 0 0 2 0" volumes.json
counts 0 "3 0 1 0 2 0" volumes.json
unpriced a1 volume 24

case_of "resized, re-offered, one resource: several series"
{
    of 6 13.5 '"usageid":"v1","size":10737418240'
    of 6 10.5 '"usageid":"v1","size":21474836480'
    of 1 20 '"usageid":"vm-1","virtualmachineid":"vm-1","offeringid":"o1","cpunumber":2,"memory":2048'
    of 1 4 '"usageid":"vm-1","virtualmachineid":"vm-1","offeringid":"o1","cpunumber":4,"memory":2048'
    of 13 48 '"virtualmachineid":"vm-1","offeringid":"n1","isdefault":true'
    of 13 48 '"virtualmachineid":"vm-1","offeringid":"n1","isdefault":false'
} >changed.json
counts 0 "6 6 0 0 0 0" changed.json
series 6
unpriced a1 volume 24
unpriced a1 network.offering 96

case_of "types whose ids stand in the description only"
{
    of 26 24 '"description":"Volume secondary usage for UP-1 (2f1e0d9c-8b7a-4695-8473-6251403f2e1d) and size (8.00 GB) 8589934592"'
    of 26 24 '"description":"Volume secondary usage for UP-2 (3f1e0d9c-8b7a-4695-8473-6251403f2e1d) and size (8,00 GB) 8589934592"'
    of 26 24 '"description":"Volume secondary usage for UP-3 and size (1.00 GB) 1073741824"'
    of 30 24 '"description":"Network usage for network ID: 204, network offering: 12"'
    of 30 24 '"description":"Network usage for network ID: 205, network offering: 12"'
    of 31 24 '"description":"VPC usage for VPC ID: 9"'
    of 31 24 '"description":"VPC usage for VPC ID: 10"'
    of 31 24 '"description":"VPC usage for VPC ID: 9"'
} >described.json
counts 0 "8 7 1 0 0 0" described.json
series 7
unpriced a1 volume.secondary 72
cat >secondary.yaml <<'YAML'
kind: ratecard
name: public
currency: EUR
effective_from: 2026-10-01T00:00:00Z
charges:
  - {code: secondary, meter: volume.secondary, times: size, unit: GiB-hour, price: "1"}
---
kind: catalogue
name: public
ratecard: public
YAML
ratel load --data data secondary.yaml >/dev/null
[ "$(ratel spend --data data --period 2026-10 --output json | jq -r '.accounts[0].lines[0].amount')" = 408 ] ||
    failed "sizes in descriptions: $(ratel spend --data data --period 2026-10)"

case_of "machines whose ids were purged are told apart by their description"
{
    of 1 24 '"description":"Running VM usage for web-01 (i-2-3-VM)"'
    of 1 24 '"description":"Running VM usage for web-02 (i-2-4-VM)"'
    of 1 24 '"description":"Running VM usage for web-01 (i-2-3-VM)"'
} >purged.json
counts 0 "3 2 1 0 0 0" purged.json

case_of "snapshots' windows are clipped to their life"
{
    of 25 3.051111 '"usageid":"s1","size":1024,"offeringid":"17"' "2026-10-05T10:11:12+0000" "2026-10-05T13:14:16+0000"
    of 25 1.5 '"usageid":"s1","size":1024,"offeringid":"17"' "2026-10-05T13:14:16+0000" "2026-10-05T14:44:16+0000"
    of 27 10.75 '"usageid":"s1","size":4096' "2026-10-05T13:14:59+0000" "2026-10-05T23:59:59+0000"
    of 27 0.000278 '"usageid":"s2","size":4096' "2026-10-05T13:14:15+0000" "2026-10-05T13:14:15+0000"
} >clipped.json
counts 0 "4 4 0 0 0 0" clipped.json
unpriced a1 vmsnapshot 4.551111
unpriced a1 vmsnapshot.primary 10.750278

case_of "an instant is charged once: duplicates, conflicts, neighbours"
{
    of 3 24 '"usageid":"ip-1"'
    of 3 23 '"usageid":"ip-1"'
    of 3 12 '"usageid":"ip-1"' "2026-10-05T12:00:00+0000" "2026-10-06T11:59:59+0000"
    of 3 1 '"usageid":"ip-1"' "2026-10-05T22:00:00+0000" "2026-10-05T22:59:59+0000"
    of 3 24 '"usageid":"ip-1"' "2026-10-06T00:00:00+0000" "2026-10-06T23:59:59+0000"
    of 3 24 '"usageid":"ip-1"' "2026-10-04T00:00:00+0000" "2026-10-04T23:59:59+0000"
    of 3 24 '"usageid":"ip-1"'
    of 3 24 '"usageid":"ip-2"'
    of 3 24 '"usageid":"ip-1","zoneid":"z2"' | sed 's/"zoneid":"z1",//'
    of 3 24 '"usageid":"ip-1"' | sed 's/"a1"/"a2"/'
} >once.json
counts 0 "10 6 1 3 0 0" once.json
unpriced a1 ip.address 120
[ "$(ratel suspense list --data data --output json | jq '.conflicts | length')" = 3 ] || failed "$(ratel suspense list --data data)"
counts 0 "10 0 7 3 0 0" once.json
[ "$(ratel suspense list --data data --output json | jq '.conflicts | length')" = 3 ] || failed "conflicts are kept twice"
counts 0 "10 6 1 3 0 0" --source another once.json
unpriced a1 ip.address 240

case_of "plain events, and the list of what has no price, in any order"
cat >zeta.json <<'JSON'
{"id": "1", "account": "a1", "meter": "zeta", "quantity": "1.5", "time": "2026-10-02T00:00:00Z", "resource": "r1"}
{"id": "1", "account": "a1", "meter": "zeta", "quantity": 1.5, "time": "2026-10-02T00:00:00Z", "resource": "r1"}
{"id": "1", "account": "a1", "meter": "zeta", "quantity": 2.5, "time": "2026-10-02T00:00:00Z", "resource": "r1"}
{"account": "a1", "meter": "zeta", "quantity": 2.5, "time": "2026-10-02T00:00:00Z", "resource": "r1"}
JSON
cat >alpha.json <<'JSON'
{"account": "a1", "meter": "alpha", "quantity": "2", "start": "2026-10-02T00:00:00Z", "end": "2026-10-03T00:00:00Z", "nodes": 3}
{"account": "a1", "meter": "beta", "quantity": "0.25", "start": "2026-10-02T00:00:00Z", "end": "2026-10-03T00:00:00Z"}
JSON
counts 0 "4 1 1 1 0 1" zeta.json
counts 0 "2 2 0 0 0 0" alpha.json
ratel spend --data data --period 2026-10 --output json >forth
case_of "plain events, backwards"
counts 0 "6 3 1 1 0 1" alpha.json zeta.json
ratel spend --data data --period 2026-10 --output json | cmp forth - || failed "another spend"

# ---- forms ------------------------------------------------------------------------------------------------------------------

case_of "a bad record does not spoil its neighbours: JSON"
{
    vm 1 '"24"'
    printf '\n{"accountid":"a1","usagetype":1,"rawusage":"24\n'
    vm 2 '"24"'
    printf '\nnot a record at all\n'
    vm 3 '"24"'
    printf '\n'
} >lines.json
counts 0 "5 3 0 0 0 2" lines.json
printf '[%s,{"accountid":"a1","usagetype":1,"rawusage":},%s]' "$(vm 4 '"24"')" "$(vm 5 '"24"')" >list.json
counts 0 "3 2 0 0 0 1" list.json
envelope 3 "$(vm 6 '"24"')" '{"accountid":"a1","usagetype":1 "rawusage":"24"}' "$(vm 7 '"24"')" >broken.json
counts 0 "3 2 0 0 0 1" broken.json
vm 8 '"24"' | head -c 100 >cut
{ vm 9 '"24"'; printf '\n'; cat cut; } >cut.json
counts 0 "2 1 0 0 0 1" cut.json

case_of "a bad record does not spoil its neighbours: a record of more than 1 MiB"
{
    vm 1 '"24"'
    printf '\n'
    vm 2 '"24"' "\"name\":\"$(head -c 1200000 /dev/zero | tr '\0' x)\""
    printf '\n'
    vm 3 '"24"'
    printf '\n'
    vm 4 '"24"' "\"name\":\"$(head -c 1000000 /dev/zero | tr '\0' x)\""
} >long.json
counts 0 "4 3 0 0 0 1" long.json
reasons '1 MiB'

case_of "XML"
row() {
    printf '<usagerecord><accountid>a1</accountid><zoneid>z1</zoneid><usagetype>1</usagetype><rawusage>%s</rawusage>' "$2"
    printf '<virtualmachineid>vm-%s</virtualmachineid><name>%s</name><startdate>2026-10-05T00:00:00+0000</startdate>' "$1" "$3"
    printf '<enddate>2026-10-05T23:59:59+0000</enddate><tags><key>a</key><value>b</value></tags><tags/></usagerecord>'
}
{
    printf '<?xml version="1.0" encoding="UTF-8"?><listusagerecordsresponse cloud-stack-version="4.20.0.0"><count>5</count>'
    row 1 24 'a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos; &#228;'
    row 2 '24 Hrs' two
    row 3 24 "$(printf 'control\001character')"
    row 4 24 four | sed 's/<\/rawusage>//'
    row 5 '12,5' five
    printf '</listusagerecordsresponse>\n'
} >usage.xml
counts 0 "5 3 0 0 0 2" usage.xml
unpriced a1 vm.running 60.5
counts 0 "5 0 3 0 0 2" --format xml usage.xml

case_of "CSV"
cat >usage.csv <<'CSV'
usagetype,accountid,rawusage,virtualmachineid,name,startdate,enddate,unheardof
1,a1,24,vm-1,"web, one",2026-10-05T00:00:00+0000,2026-10-05T23:59:59+0000,x
1,a1,"24",vm-2,"two
lines ""quoted""",2026-10-05T00:00:00+0000,2026-10-05T23:59:59+0000,
1,a1,many,vm-3,three,2026-10-05T00:00:00+0000,2026-10-05T23:59:59+0000,
1,a1,"13,5",vm-4,,2026-10-05T00:00:00+0000,2026-10-05T23:59:59+0000,y
1,a1,24
1,a1,24,vm-5,five,2026-10-05T00:00:00+0000,2026-10-05T23:59:59+0000,z
CSV
counts 0 "6 4 0 0 0 2" usage.csv
unpriced a1 vm.running 85.5
head -n 1 usage.csv >header.csv
counts 0 "0 0 0 0 0 0" --format csv header.csv
printf 'accountid;usagetype;rawusage;virtualmachineid;startdate;enddate\r\na1;1;6,25;vm-6;2026-10-05T00:00:00+0000;2026-10-05T23:59:59+0000\r\n' >semicolon.csv
counts 0 "1 1 0 0 0 0" semicolon.csv
printf '\357\273\277accountid\tusagetype\trawusage\tvirtualmachineid\tstartdate\tenddate\na1\t1\t6,25\tvm-6\t2026-10-05T00:00:00+0000\t2026-10-05T23:59:59+0000' >tab.csv
counts 0 "1 0 1 0 0 0" tab.csv

case_of "msgpack"
python3 -S - <<'PYTHON'
import sys

def pack(value):
    if isinstance(value, dict):
        return bytes([0x80 + len(value)]) + b"".join(pack(part) for item in value.items() for part in item)
    if isinstance(value, list):
        return bytes([0x90 + len(value)]) + b"".join(map(pack, value))
    if isinstance(value, bytes):
        return value  # as it stands
    if isinstance(value, str):
        text = value.encode()
        return (bytes([0xA0 + len(text)]) if len(text) < 32 else b"\xd9" + bytes([len(text)])) + text
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    return bytes([value]) if 0 <= value < 128 else b"\xcf" + value.to_bytes(8, "big")

def vm(number, **changes):
    record = {"accountid": "a1", "usagetype": 1, "rawusage": "24", "virtualmachineid": f"vm-{number}", "cpunumber": 2,
              "startdate": "2026-10-05T00:00:00+0000", "enddate": "2026-10-05T23:59:59+0000"}
    record.update(changes)
    return record

def write(name, *values):
    with open(name, "wb") as file:
        file.write(b"".join(map(pack, values)))

write("good.msgpack", vm(1), vm(2, rawusage=24), vm(3, rawusage=5000000000, usagetype=4), vm(4, tags=[], name=None, isdefault=True))
write("float.msgpack", vm(5), vm(6, rawusage=b"\xcb" + bytes.fromhex("4038000000000000")), vm(7))
write("bad.msgpack", vm(8), vm(9, rawusage="x"), 7, vm(10))
write("answer.msgpack", {"listusagerecordsresponse": {"count": 2, "usagerecord": [vm(11), vm(12)]}})
write("list.msgpack", [vm(13), vm(14)])
write("error.msgpack", {"listusagerecordsresponse": {"errorcode": 431, "errortext": "no"}}, vm(15))
with open("cut.msgpack", "wb") as file:
    file.write(pack(vm(16)) + pack(vm(17))[:-5])
PYTHON
counts 0 "4 4 0 0 0 0" good.msgpack
unpriced a1 network.sent 5000000000
counts 0 "3 2 0 0 0 1" float.msgpack
counts 0 "4 2 0 0 0 2" bad.msgpack
counts 0 "2 2 0 0 0 0" answer.msgpack
counts 0 "2 2 0 0 0 0" --format msgpack list.msgpack
counts 65 "1 1 0 0 0 0" error.msgpack
counts 0 "2 1 0 0 0 1" cut.msgpack

# ---- ways in -----------------------------------------------------------------------------------------------------------------

case_of "standard input, compressed or not, several members, cut"
envelope 2 "$(vm 1 '"24"')" "$(vm 2 '"24"')" >two.json
counts 0 "2 2 0 0 0 0" - <two.json
gzip -k two.json
zstd -q two.json
counts 0 "2 0 2 0 0 0" - <two.json.gz
counts 0 "6 0 6 0 0 0" two.json two.json.gz two.json.zst
vm 3 '"24"' | gzip >three.gz
cat two.json.gz three.gz >members.gz
counts 0 "3 1 2 0 0 0" members.gz
vm 4 '"24"' | zstd -q >four.zst
cat two.json.zst four.zst >frames.zst
counts 0 "3 1 2 0 0 0" frames.zst
{ vm 5 '"24"'; printf '\n'; vm 6 '"24"'; } | gzip >cut.gz
head -c $(($(wc -c <cut.gz) - 6)) cut.gz >shorter.gz
counts 74 "2 2 0 0 0 0" shorter.gz
says 'shorter.gz'

case_of "empty, missing and unreadable files"
: >empty
printf '\n \r\n\t\n' >blank
: | gzip >empty.gz
counts 0 "0 0 0 0 0 0" empty
counts 0 "0 0 0 0 0 0" blank empty.gz
counts 0 "0 0 0 0 0 0" - </dev/null
counts 66 "0 0 0 0 0 0" missing.json
says '^ratel: .*missing.json'
counts 66 "2 2 0 0 0 0" missing.json two.json
counts 74 "2 0 2 0 0 0" two.json .
printf 'hello\nworld\n' >prose
counts 0 "2 0 0 0 0 2" --format json prose

title="wrong use"
wrong() {
    code=0
    ratel ingest --data data "$@" >out 2>err </dev/null || code=$?
    [ "$code" -eq 64 ] || failed "exit code $code, not 64: $*"
    [ "$(wc -l <err)" -eq 1 ] || failed "not one line: $(cat err)"
}
wrong
wrong --format yaml two.json
wrong --batch 0 two.json
wrong --batch many two.json
wrong --source "" two.json
wrong --sauce x two.json
code=0
ratel ingest --data nowhere two.json >out 2>err || code=$?
[ "$code" -eq 66 ] || failed "exit code $code without a data directory"

case_of "what was quarantined can be fed back"
{ vm 1 '"24"'; printf '\n'; vm 2 '"1e"'; printf '\n'; } >two.json
counts 0 "2 1 0 0 0 1" two.json
id=$(ratel quarantine list --data data --output json | jq -r '.records[0].id')
ratel quarantine show --data data --raw "$id" >raw
vm 2 '"1e"' | cmp - raw || failed "not the bytes as they came"
ratel quarantine retry --data data >/dev/null || failed "retry ends with $?"
[ "$(ratel quarantine list --data data --output json | jq '.records | length')" = 1 ] || failed "it is as bad as before"
sed -e 's/"1e"/"1"/' raw >mended
counts 0 "1 1 0 0 0 0" mended
ratel quarantine discard --data data "$id" >/dev/null || failed "discard ends with $?"
[ "$(ratel quarantine list --data data --output json | jq '.records | length')" = 0 ] || failed "it is listed still"
unpriced a1 vm.running 25

if [ "$failures" -ne 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
fi
echo "all passed"
