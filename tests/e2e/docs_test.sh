#!/bin/sh
# The documents say what the program does: generated pages are what the program generates, links lead somewhere, the tables of keys,
# reasons and limits are complete, and every command shown in a ```console block is run, its output compared. $1: the build directory.
#
# In a ```console block a line "$ COMMAND" is run, with the lines of its here-document up to END; the lines after it are its output,
# standard error included. "..." on a line of its own stands for any lines, at the end of a line for the rest of it. A document's
# commands run in one shell, in a folder of their own with ratecards/ in it, and a copy of ratecards/examples as "cards".
set -eu
LC_ALL=C.UTF-8
export LC_ALL

build=$(cd "${1:?usage: docs_test.sh BUILD_DIR}" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$build/bin:$PATH
export PATH
unset RATEL_DATA RATEL_NOW
cd "$root"
failures=0

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

pages=$(find README.md docs -name '*.md' | sort)

# ---- generated pages ------------------------------------------------------------------------------------------------------

mkdir "$work/reference"
docs/reference/generate "$build" "$work/reference"
for page in commands.md constants.md; do
    diff -u "docs/reference/$page" "$work/reference/$page" >"$work/diff" ||
        { fail "docs/reference/$page is not up to date: run docs/reference/generate BUILD_DIR"; head -n 30 "$work/diff" >&2; }
done

# ---- links ----------------------------------------------------------------------------------------------------------------

# The anchors of a page's headings as GitHub makes them.
anchors() {
    sed -n 's/^#\{1,6\} //p' "$1" | tr '[:upper:]' '[:lower:]' | sed -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
}

for page in $pages; do
    # Code is no place for links: fenced blocks and `...` are left out.
    awk '/^```/ { code = !code; next } !code { gsub(/`[^`]*`/, ""); print }' "$page" | grep -o '](\([^)]*\))' |
        sed -e 's/^](//' -e 's/)$//' >"$work/links" || true
    while read -r link; do
        case $link in
        http://* | https://* | mailto:*) continue ;;
        esac
        target=${link%%#*}
        if [ -n "$target" ]; then
            target=$(dirname "$page")/$target
        else
            target=$page
        fi
        [ -e "$target" ] || { fail "$page: the link $link leads nowhere"; continue; }
        case $link in
        *#*) anchors "$target" | grep -qx -e "${link#*#}" || fail "$page: the link $link leads to no heading" ;;
        esac
    done <"$work/links"
done

# ---- complete tables ------------------------------------------------------------------------------------------------------

# Every key of every document kind is in documents.md.
cat ratecards/*.c | awk '/static const char \*const [a-z_]*keys\[\] = \{/ { on = 1 } on { print } on && /\};/ { on = 0 }' |
    grep -o '"[a-z_]*"' | tr -d '"' | sort -u >"$work/keys"
[ "$(wc -l <"$work/keys")" -gt 40 ] || fail "the keys of documents are not found in ratecards/*.c any more: mend this test"
while read -r key; do
    grep -q "\`$key\`\|\`[a-z]*\.$key\`" docs/reference/documents.md || fail "docs/reference/documents.md does not explain the key $key"
done <"$work/keys"

# Every reason of a decoder is in usage-input.md.
cat adapters/*.c adapters/*.h | sed -e ':join' -e '/\\$/{ N; s/ *\\\n */ /; b join' -e '}' | grep -h '^#define REASON_[A-Z_]* *"' | sed -e 's/^[^"]*"//' -e 's/"$//' -e 's/\\\\/\\/g' | sort -u >"$work/reasons"
[ "$(wc -l <"$work/reasons")" -gt 25 ] || fail "the reasons of decoders are not found in adapters/ any more: mend this test"
sed -e 's/&lt;/</g' -e 's/&gt;/>/g' docs/reference/usage-input.md >"$work/usage-input"
while read -r reason; do
    grep -qF -e "$reason" "$work/usage-input" || fail "docs/reference/usage-input.md does not list the reason: $reason"
done <"$work/reasons"

# Every field that a record can have is in usage-input.md.
sed -n 's/^ *X([A-Z]*, "\([a-z]*\)").*/\1/p' engine/base/record.h >"$work/fields"
[ "$(wc -l <"$work/fields")" -gt 40 ] || fail "the fields are not found in engine/base/record.h any more: mend this test"
while read -r field; do
    grep -q "\`$field\`" docs/reference/usage-input.md || fail "docs/reference/usage-input.md does not explain the field $field"
done <"$work/fields"

# `NAME VALUE` in FILE in limits.md is a #define there.
grep -o '`[A-Z0-9_]* [^`]*` in [a-z_/.]*' docs/limits.md >"$work/limits" || true
[ "$(wc -l <"$work/limits")" -gt 30 ] || fail "docs/limits.md names no constants any more: mend this test"
while read -r limit; do
    file=${limit##* in }
    define=$(printf '%s' "$limit" | sed -e 's/^`//' -e 's/` in .*$//')
    tr -s ' \t' ' ' <"$file" 2>/dev/null | grep -qF -e "#define $define" || fail "docs/limits.md: $file does not say \"#define $define\""
done <"$work/limits"

# Every numbered invariant of the code is in ARCHITECTURE.md, every path in it exists, and it stays readable in one go.
grep -rhoE '^ ?\* +[A-Z]-[0-9]+ ' engine adapters ratecards tools | grep -oE '[A-Z]-[0-9]+' | sort -u >"$work/invariants"
[ "$(wc -l <"$work/invariants")" -gt 30 ] || fail "the invariants are not found in the code any more: mend this test"
while read -r invariant; do
    grep -q "^- $invariant " docs/ARCHITECTURE.md || fail "docs/ARCHITECTURE.md does not have the invariant $invariant"
done <"$work/invariants"
grep -oE '`(engine|adapters|ratecards|tools|tests|bench|docs)/[^` ]*`' docs/*.md docs/reference/*.md docs/adr/*.md docs/guides/*.md README.md |
    sed -e 's/^[^:]*:`//' -e 's/`$//' | grep -v '[*]' | sort -u >"$work/paths"
while read -r path; do
    case $path in
    *NAME*) continue ;;
    esac
    [ -e "$path" ] || fail "the path $path in the documents is not there"
done <"$work/paths"
[ "$(wc -l <docs/ARCHITECTURE.md)" -le 300 ] || fail "docs/ARCHITECTURE.md is longer than 300 lines"

# ---- commands and their output --------------------------------------------------------------------------------------------

# Writes DIR/script, and for each command DIR/N.expected and DIR/N.place.
extract() {
    awk -v dir="$2" -v page="$1" '
        function close_command() {
            if (!open)
                return
            printf "{\n%s\n} >\"%s/%d.actual\" 2>&1 </dev/null\n", command, dir, count >(dir "/script")
            open = 0
        }
        /^```console$/ { block = 1; next }
        /^```/ { if (block) close_command(); block = 0; next }
        !block { next }
        /^\$ / {
            close_command()
            open = 1
            count++
            command = substr($0, 3)
            printf "%s:%d: %s\n", page, NR, command >(dir "/" count ".place")
            printf "" >(dir "/" count ".expected")
            typing = /<<\047END\047/
            next
        }
        typing { command = command "\n" $0; typing = $0 != "END"; next }
        { print >(dir "/" count ".expected") }
        END { close_command(); print count + 0 >(dir "/count") }' "$1"
}

# Compares DIR/N.expected with DIR/N.actual; says where they part. Lines between two "..." must stand together.
compare() {
    awk '
        function same(pattern, text) {
            if (pattern !~ /\.\.\.$/)
                return pattern == text
            sub(/ *\.\.\.$/, "", pattern)
            return substr(text, 1, length(pattern)) == pattern
        }
        # How many of the lines from..to are there at a place; all of them when it is to - from + 1.
        function matched(from, to, place, n) {
            for (n = 0; from + n <= to && place + n <= given && same(expected[from + n], actual[place + n]); n++)
                ;
            return n
        }
        function part(from, to, place, n) {
            n = matched(from, to, place)
            printf "  expected: %s\n  printed:  %s\n", expected[from + n], (place + n > given ? "(nothing more)" : actual[place + n])
            exit 1
        }
        { sub(/[ \t\r]+$/, "") }
        FILENAME == ARGV[1] { expected[++wanted] = $0; next }
        { actual[++given] = $0 }
        END {
            while (given > 0 && actual[given] == "") given--
            while (wanted > 0 && expected[wanted] == "") wanted--
            at = 1
            for (i = 1; i <= wanted; i = to + 1) {
                if (expected[i] == "...") { any = 1; to = i; continue }
                for (to = i; to < wanted && expected[to + 1] != "..."; to++)
                    ;
                place = at
                if (any) {
                    best = at
                    for (; place <= given && matched(i, to, place) <= to - i; place++)
                        if (matched(i, to, place) > matched(i, to, best)) best = place
                    if (to == wanted) place = given - (to - i)
                    else if (place > given) place = best
                }
                if (place < at || matched(i, to, place) <= to - i) part(i, to, place < at ? at : place)
                at = place + to - i + 1
                any = 0
            }
            if (!any && at <= given) {
                printf "  printed and not shown: %s\n", actual[at]
                exit 1
            }
        }' "$1.expected" "$1.actual" && return 0
    return 1
}

for page in $pages; do
    grep -q '^```console$' "$page" || continue
    dir=$work/run-$(printf '%s' "$page" | tr '/.' '__')
    mkdir -p "$dir/home"
    cp -r ratecards/examples "$dir/home/cards"
    ln -s "$root/ratecards" "$dir/home/ratecards"
    extract "$page" "$dir"
    (cd "$dir/home" && HOME=$dir/home sh "$dir/script") || fail "$page: its commands end with an error"
    count=$(cat "$dir/count")
    n=1
    while [ "$n" -le "$count" ]; do
        if ! compare "$dir/$n" >"$work/compared"; then
            fail "$(cat "$dir/$n.place")"
            cat "$work/compared" >&2
        fi
        n=$((n + 1))
    done
    [ "$count" -gt 0 ] || fail "$page: a \`\`\`console block without a command"
done

[ "$failures" -eq 0 ] || { echo "$failures failures" >&2; exit 1; }
echo "documents: $(printf '%s\n' "$pages" | wc -l) pages"
