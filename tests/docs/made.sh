#!/bin/bash
# What is made from the tables (reference, manual pages) is whole and well-formed; the lint compares the reference. Prints TAP.
set -u
src=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${FERRULE_BUILDDIR:?the directory of a build}
ferrule=$build/ferrule
number=0
work=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-made.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# result NAME: holds when $work/found is empty.
result() {
	number=$((number + 1))
	if [ -s "$work/found" ]; then
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/found" | head -60
	else
		echo "ok $number - $1"
	fi
	: >"$work/found"
}

skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

: >"$work/found"
for page in "$src"/docs/reference/*.md; do
	"$ferrule" help --markdown | grep -qx "$(basename "$page" .md)" || echo "$page: nothing makes it"
done >"$work/found"
result "every page of the reference is made from the tables"

"$ferrule" help | sed -n 's/^  \([a-z]*\) .*/\1/p' >"$work/verbs"
while read -r verb; do
	[ -s "$build/docs/man/ferrule-$verb.1" ] || echo "docs/man/ferrule-$verb.1 is missing"
	grep -q "^## ferrule $verb$" "$src/docs/reference/cli.md" || echo "docs/reference/cli.md has no $verb"
	"$ferrule" help "$verb" | sed -n 's/^  --\([a-z-]*\).*/\1/p' | while read -r option; do
		sed 's/[\]//g' "$build/docs/man/ferrule-$verb.1" | grep -q -- "--$option\b" || echo "ferrule-$verb.1 has no --$option"
	done
done <"$work/verbs" >"$work/found" 2>&1
for page in ferrule.1 ferrule-site.5; do
	[ -s "$build/docs/man/$page" ] || echo "docs/man/$page is missing"
done >>"$work/found"
result "every verb has a manual page with all its options"

# Every key of the tables, in both.
# shellcheck disable=SC2016 # no command
"$ferrule" help --markdown site | sed -n 's/^| `\([a-zA-Z.-]*\)`.*/\1/p' | sort -u >"$work/keys"
[ "$(wc -l <"$work/keys")" -gt 100 ] || echo "only $(wc -l <"$work/keys") keys: the tables have more" >"$work/found"
sed 's/[\]//g' "$build/docs/man/ferrule-site.5" >"$work/plain"
while read -r key; do
	grep -q "^fB$key" "$work/plain" || echo "ferrule-site.5 has no $key"
done <"$work/keys" >>"$work/found"
result "ferrule-site(5) has every key"

# Links between the guides, as file:line:target.
find "$src/README.md" "$src/CONTRIBUTING.md" "$src/docs" "$src/config/sample" -name '*.md' -print0 |
	xargs -0 grep -noE '\]\([^)#: ]+[)#]' | sed 's/](\(.*\)[)#]$/\1/' >"$work/links"
while IFS=: read -r file line target; do
	[ -e "$(dirname "$file")/$target" ] || echo "${file#"$src"/}:$line: $target is not there"
done <"$work/links" >"$work/found"
[ "$(wc -l <"$work/links")" -gt 40 ] || echo "only $(wc -l <"$work/links") links: there are more" >>"$work/found"
result "links between guides lead somewhere"

for guide in "$src"/docs/*.md "$src"/docs/reference/*.md; do
	grep -qF "(${guide#"$src"/})" "$src/README.md" || echo "README.md does not say where ${guide#"$src"/} is"
done >"$work/found"
result "the README leads to every guide"

"$ferrule" help --man nonsense >/dev/null 2>&1 && echo "a page that is none is printed" >"$work/found"
result "a page that there is not is refused"

if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning "$build"/docs/man/*.[15] >"$work/found" 2>&1
	result "mandoc has nothing against the manual pages"
else
	skip "mandoc has nothing against the manual pages" "mandoc is not installed"
fi
if command -v groff >/dev/null; then
	for page in "$build"/docs/man/*.[15]; do
		groff -ww -z -man -K utf8 -T utf8 "$page" 2>&1
	done >"$work/found"
	result "groff has nothing against the manual pages"
else
	skip "groff has nothing against the manual pages" "groff is not installed"
fi
echo "1..$number"
