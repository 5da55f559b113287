#!/bin/sh
# Power cuts: what was acknowledged is there afterwards, once, and nothing else is damaged. A data directory on an ext4 image on a loop device;
# at random moments the file system is shut down without a flush of its log, while the kernel writes back every 50 ms, so that what is on the
# disk is neither everything nor in the order of the calls. Then it is mounted again and looked at.
#
# Two writers: commands, one `ratel ingest` a chunk, each acknowledged by exit code 0; and, where `ratel ingest` has --durable-fd, one command
# that reads a stream from a pipe and tells the offsets up to which it is durable. After each cut readers must make sense of what is left, and
# acknowledged records fed again must all be duplicates; the work then goes on, through further cuts, and must end with the result of a
# run that was never cut, bit for bit. At the end the same with a writer that does not sync: its loss must be noticed, or this test shows nothing.
#
# What this does not show: a device that loses its own cache (the loop device keeps what it was given).
#
# $1: the build directory. RATEL_POWER_CUTS=N cuts of each writer (default 10, with RATEL_LONG=1 300), RATEL_SEED=N. Needs root, mount and a loop
# device, else it is skipped; with RATEL_DEMAND=1 anything that is missing once it can mount is a failure.
. "$(dirname "$0")/faults.sh"
cutter=$build/bin/power_cut
forget=$build/bin/power_cut_forget.so
seed=${RATEL_SEED:-$(date +%s)}
cuts=${RATEL_POWER_CUTS:-${RATEL_LONG:+300}}
cuts=${cuts:-10}
batch=20
disk=$work/disk

skip() {
    echo "skipped: $*"
    exit 0
}

# lacking WHAT: it can mount, but.
lacking() {
    [ -z "${RATEL_DEMAND:-}" ] || {
        echo "FAILED: this machine can mount, but: $*" >&2
        exit 1
    }
    skip "$@"
}

power_on() {
    mount -t ext4 -o loop "$work/image" "$disk"
}

# A writer that still dies holds the file system for a moment.
power_off() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        umount "$disk" 2>/dev/null && return
        sleep 0.1
    done
    umount "$disk"
}

written_back=
clean_up() {
    [ -z "$written_back" ] || echo "$written_back" | while read -r name value; do echo "$value" >"/proc/sys/vm/$name"; done
    if mountpoint -q "$disk"; then power_off; fi
    rm -rf "$work"
}

# The kernel writes back every 50 ms what is 50 ms old; restored at the end.
write_back_soon() {
    for name in dirty_writeback_centisecs dirty_expire_centisecs; do
        value=$(cat "/proc/sys/vm/$name")
        written_back=$(printf '%s\n%s %s' "$written_back" "$name" "$value" | sed '/^$/d')
        echo 5 2>/dev/null >"/proc/sys/vm/$name" || echo "note: the kernel's write-back cannot be set here" >&2
    done
}

set_up_disk() {
    [ "$(id -u)" = 0 ] || skip "only root can mount"
    [ -c /dev/loop-control ] || skip "there are no loop devices"
    command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is missing (Debian: e2fsprogs)"
    truncate -s 256M "$work/image"
    mkfs.ext4 -q -F "$work/image"
    mkdir "$disk"
    power_on 2>err || skip "cannot mount a loop device: $(head -n 1 err)"
    trap clean_up EXIT
    trap 'exit 1' INT TERM HUP
    "$cutter" cut "$disk" 0 "$work/mark" 2>err || lacking "FS_IOC_SHUTDOWN: $(head -n 1 err)"
    ! touch "$disk/file" 2>/dev/null || lacking "FS_IOC_SHUTDOWN does nothing"
    power_off
    power_on || fail "the file system does not come back"
    write_back_soon
}

# number KEY LOW HIGH: from the seed, the same for the same key.
number() {
    printf '%s/%s' "$seed" "$1" | cksum | awk -v low="$2" -v high="$3" '{ print low + $1 % (high - low + 1) }'
}

# Usage with what goes wrong with usage, in chunks of lines; what a clean run holds after each of them. Broken are values only: what a torn
# record is called depends on what follows it, and the acknowledged part of a stream is fed again without that.
make_usage() {
    "$generate" --seed 12 --accounts 3 --projects 1 --vms "$(spread 40 20)" --days 7 --form ndjson --duplicates 30 --late 30 --conflicts 20 --malformed 20 \
        --malformed-kinds number,date,type,missing --out stream.ndjson --accounts-doc accounts.yaml --truth truth.jsonl
    documents >documents.yaml
    budgets >budgets.yaml
    split -l "$(spread 60 100)" -d -a 3 --additional-suffix=.ndjson stream.ndjson chunk-
    chunks=$(ls chunk-*.ndjson | wc -l)
    export RATEL_DATA=data
    "$ratel" init >/dev/null
    "$ratel" load documents.yaml accounts.yaml budgets.yaml >/dev/null
    cp -a data loaded
    k=0
    echo 0 >quarantined-000
    while [ "$k" -lt "$chunks" ]; do
        "$ratel" ingest --batch $batch --output json "$(chunk $k)" >"$(printf 'counts-%03d' $k)"
        k=$((k + 1))
        quarantined >"$(printf 'quarantined-%03d' $k)"
    done
    what_counts data
    mv facts clean.commands
    rm -rf data
    cp -a loaded data
    "$ratel" ingest --batch $batch --output json - <stream.ndjson >counts-stream
    what_counts data
    mv facts clean.stream
    rm -rf data
    for clean in clean.commands clean.stream; do
        jq -se '(.[0].accounts | length) == 3 and (.[2].conflicts | length) > 3 and (.[3] | tostring | length) > 500 and .[-1].ok' $clean >/dev/null ||
            fail "the clean run is no good reference"
    done
}

# what_counts DIR: the facts, but for the spend that an alert tells: it is that of the commit in which the threshold was passed, and where commits
# end, and the order of the alerts, depend on the cuts.
what_counts() {
    facts "$1" || return 1
    jq 'if .messages? then .messages |= (map(del(.spend, .percent)) | sort_by(.id)) else . end' facts >facts.new
    mv facts.new facts
}

chunk() { printf 'chunk-%03d.ndjson' "$1"; }

quarantined() { "$ratel" quarantine list --output json | jq '[.. | objects | select(has("reason"))] | length'; }

# prepare: a data directory with documents, once; a cut may come in here too.
prepare() {
    [ -z "$loaded" ] || return 0
    "$ratel" init >/dev/null 2>err || [ $? -eq 73 ] || return 1
    "$ratel" load documents.yaml accounts.yaml budgets.yaml >/dev/null 2>err || return 1
    loaded=yes
}

# write_commands: chunks from $acknowledged on, until one fails or all are in. A chunk whose command ends with 0 is acknowledged.
write_commands() {
    while [ "$acknowledged" -lt "$chunks" ]; do
        with_writer timeout 120 "$ratel" ingest --batch $batch --output json "$(chunk "$acknowledged")" >counts 2>err </dev/null || return 1
        acknowledged=$((acknowledged + 1))
    done
}

# write_stream: all of the stream from its beginning, in pieces; an offset that was told is acknowledged.
write_stream() {
    code=0
    "$cutter" feed 8192 "$(spread 300 2000)" <stream.ndjson |
        with_writer timeout 300 "$ratel" ingest --batch $batch --durable-fd 3 --output json - >counts 2>err 3>told || code=$?
    offset=$(awk '/^[0-9]+( |$)/ { last = $1 } END { print last + 0 }' told)
    [ "$offset" -le "$acknowledged" ] || acknowledged=$offset
    return $code
}

# Replaced where the writer is to be a bad one.
with_writer() { "$@"; }
forgetful() { env LD_PRELOAD="${runtime:+$runtime:}$forget" "$@"; }

# problem TEXT: what is wrong after a cut. A failure, but for the writer that must be caught.
problem() {
    problems=$((problems + 1))
    [ -n "$expecting_loss" ] || fail "seed $seed, $writer, cut $n after $delay ms, acknowledged $acknowledged: $*"
}

# acknowledged_input: what was acknowledged, as files to be fed again, in the file again; the number of whole chunks among it in $whole.
acknowledged_input() {
    if [ "$writer" = commands ]; then
        whole=$acknowledged
        seq 0 $((whole - 1)) | while read -r k; do chunk "$k"; echo; done >again
        return
    fi
    # A piece of a record at the end is not acknowledged.
    head -c "$acknowledged" stream.ndjson >prefix
    [ -z "$(tail -c 1 prefix)" ] || sed -i '$d' prefix
    lines=$(wc -l <prefix)
    whole=$((lines / $(wc -l <"$(chunk 0)")))
    echo - >again
}

# Readers first, before a writer clears up; then the acknowledged records again: none of them may be news.
examine() {
    acknowledged_input
    run "$ratel" verify --output json
    [ "$code" -eq 0 ] && jq -e .ok out >/dev/null || problem "verify says $code to what is left: $(head -c 300 out)$(head -c 300 err)"
    run "$ratel" spend --period 2026-10
    [ "$code" -eq 0 ] || problem "spend says $code to what is left: $(head -c 300 err)"
    kept=$(quarantined 2>err) && [ -n "$kept" ] || kept=0
    expected=$(cat "$(printf 'quarantined-%03d' "$whole")")
    [ "$kept" -ge "$expected" ] || problem "$kept records are in quarantine, $expected were acknowledged"
    [ -s again ] || return 0
    code=0
    if [ "$writer" = stream ]; then
        "$ratel" ingest --output json - <prefix >out 2>err || code=$?
    else
        "$ratel" ingest --output json $(cat again) >out 2>err </dev/null || code=$?
    fi
    if [ "$code" -ne 0 ]; then
        problem "ingest says $code to what was acknowledged: $(head -c 300 err)"
    elif [ "$(jq .accepted out)" -ne 0 ]; then
        problem "of what was acknowledged $(jq .accepted out) records were lost"
    fi
}

# one_cut: work with a cut in it, then a look at what is left.
one_cut() {
    n=$((n + 1))
    before=$acknowledged
    delay=$(number "$writer/$n" 0 "$reach")
    rm -f mark
    "$cutter" cut "$disk" "$delay" "$work/mark" &
    cutter_process=$!
    if prepare && "write_$writer"; then
        complete=yes
    else
        complete=
        [ -e mark ] || { sleep 0.2 && [ -e mark ]; } || fail "seed $seed, $writer, cut $n: the writer failed with the power on"
    fi
    wait $cutter_process || fail "the power could not be cut"
    power_off
    power_on || fail "seed $seed, $writer, cut $n: the file system does not come back"
    echo "  cut $n after $delay ms: acknowledged $acknowledged${loaded:+, documents}${complete:+, all}"
    [ -z "$loaded" ] || examine
    # Machines differ, and their neighbours: where cuts come before anything is acknowledged there is more time, where they come too late less.
    if [ "$acknowledged" -eq "$before" ]; then
        reach=$((reach < 20000 ? reach * 3 / 2 : reach))
    else
        useful=$((useful + 1))
        [ -z "$complete" ] || reach=$((reach > 100 ? reach * 2 / 3 : reach))
    fi
}

# scenario: from an empty disk through cuts until all is in; then it must be what a clean run makes.
scenario() {
    rm -rf "${disk:?}"/*
    sync -f "$disk" # or the next cut brings it back
    acknowledged=0 complete= loaded=
    while [ "$n" -lt "$1" ] && [ -z "$complete" ]; do
        one_cut
    done
    prepare || problem "the documents cannot be loaded"
    if [ -z "$complete" ]; then
        "write_$writer" || problem "the rest cannot be ingested: $(head -c 300 err)"
    fi
    what_counts "$RATEL_DATA" || problem "a report on the result fails"
    cmp -s facts "clean.$writer" || {
        diff "clean.$writer" facts | head -n 20 >&2
        problem "the result differs from the clean run's"
    }
}

# At least half of the cuts must come when something was acknowledged since the one before.
all_cuts() {
    writer=$1 n=0 useful=0 problems=0 expecting_loss= reach=400
    while [ "$n" -lt "$cuts" ] || { [ $((useful * 2)) -lt "$cuts" ] && [ "$n" -lt $((cuts * 3)) ]; }; do
        scenario $((n < cuts ? cuts : n + 1))
    done
    [ $((useful * 2)) -ge "$cuts" ] || fail "$writer: $useful of $n cuts came after something was acknowledged"
    echo "$writer: $n power cuts, $useful with news since the one before, seed $seed"
}

# The same rig, and a writer that says durable of what is not: a few cuts must be enough to catch it. Its documents were there before.
catch_forgetful() {
    writer=commands n=0 useful=0 problems=0 expecting_loss=yes
    with_writer() { forgetful "$@"; }
    while [ "$useful" -lt 5 ] && [ "$n" -lt 30 ] && [ "$problems" -eq 0 ]; do
        rm -rf "${disk:?}"/*
        cp -a loaded "$disk/data"
        sync -f "$disk"
        acknowledged=0 complete= loaded=yes
        one_cut
    done
    with_writer() { "$@"; }
    [ "$problems" -gt 0 ] || fail "seed $seed: a writer that does not sync is not noticed in $n cuts"
    echo "a writer that does not sync is noticed after $n cuts"
}

for needed in "$cutter" "$forget"; do
    [ -e "$needed" ] || { echo "$needed is not built" >&2; exit 1; }
done
set_up_disk
make_usage
export RATEL_DATA=$disk/data
all_cuts commands
if "$ratel" ingest --help | grep -q -e --durable-fd; then
    all_cuts stream
else
    echo "stream: ratel ingest has no --durable-fd, only whole commands are acknowledged"
fi
catch_forgetful
finish
