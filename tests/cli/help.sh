#!/bin/bash
# The help of the program, and whether what the guides type exists in it. Prints TAP.
set -u
src=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
ferrule=${FERRULE_BUILDDIR:?the directory of a build}/ferrule
number=0
work=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-help.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# result NAME: holds when $work/found is empty.
result() {
	number=$((number + 1))
	if [ -s "$work/found" ]; then
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/found" | head -50
	else
		echo "ok $number - $1"
	fi
	: >"$work/found"
}

: >"$work/found"
"$ferrule" help >"$work/overview"
sed -n 's/^  \([a-z]*\) .*/\1/p' "$work/overview" >"$work/verbs"

for verb in init check run status trace dead doubt collect hold resume send replay decode encode map validate version; do
	grep -qx "$verb" "$work/verbs" || echo "there is no $verb" >>"$work/found"
done
result "every verb is in the overview"

awk '/^  / && NF < 3' "$work/overview" >"$work/found"
result "every verb has a summary"

while read -r verb; do
	"$ferrule" help "$verb" >"$work/help.$verb" 2>&1 || echo "help $verb: exit $?"
	head -1 "$work/help.$verb" | grep -q "^ferrule $verb" || echo "help $verb: does not begin with how it is typed"
	"$ferrule" "$verb" --help | cmp -s - "$work/help.$verb" || echo "$verb --help: tells something else"
	awk '/^  --/ && NF < 2' "$work/help.$verb"
	"$ferrule" "$verb" --no-such-option >/dev/null 2>&1
	code=$?
	[ "$code" = 2 ] || echo "$verb --no-such-option: exit $code, not 2"
done <"$work/verbs" >"$work/found"
result "every verb tells how it is typed and refuses what it does not know"

# What guides, messages and the help itself tell people to type: "ferrule VERB … --option".
find "$src/README.md" "$src/CONTRIBUTING.md" "$src/docs" "$src/config/sample" "$src/cli" "$src/services" "$src/operations" \
	-type f \( -name '*.md' -o -name '*.c' \) -print0 | xargs -0 grep -nHoE '\bferrule [a-z]+( +[^`")\\;|&]*)?' |
	sed "s,^$src/,," >"$work/typed"
while IFS= read -r line; do
	words=${line#*:*:ferrule }
	verb=${words%% *}
	case $line in *.c:*) # in a message; elsewhere in C it is prose
		case $verb in run | check | dead | doubt | collect | trace | status | send | replay | hold | resume | init | help) ;; *) continue ;; esac ;;
	esac
	case $verb in help | lint | role | is | process | site | program | verb | ready) continue ;; esac
	if ! [ -e "$work/help.$verb" ]; then
		[[ $line == *.c:* ]] || echo "$line: there is no verb $verb"
		continue
	fi
	grep -oE -- ' --[a-z][a-z-]+' <<<"$words" | while read -r option; do
		grep -q -- " *$option\b" "$work/help.$verb" || echo "$line: $verb has no $option"
	done
done <"$work/typed" >"$work/found"
result "what guides and messages tell people to type exists"

while read -r verb; do # in characters: bytes are not columns
	grep '^  --' "$work/help.$verb" | LC_ALL=C.UTF-8 grep -vE '^.{26} [^ ]|^  --[^ ]+ [^ ]{20,}|^  --[^ ]+:' | sed "s/^/$verb: /"
done <"$work/verbs" >"$work/found"
result "what options mean stands in one column"

sed -n 's/^FERRULE_LIB(\[[A-Z0-9]*\],\[\([a-z0-9.-]*\).*/\1/p' "$src/configure.ac" | wc -l >"$work/built"
"$ferrule" version | grep -c '^  [a-z]' | awk -v built="$(cat "$work/built")" '$1 != built + 1 { print $1 - 1 " of " built " libraries of configure.ac" }' >"$work/found"
result "version tells every library that it is made of"

for code in http.timeout x12.count http.status-422 jq.compile secret.variable edifact.element-missing; do
	"$ferrule" help $code >"$work/out" 2>&1 || echo "help $code: exit $?"
	grep -q "^$code: [A-Z]" "$work/out" || echo "help $code does not tell what it means"
done >"$work/found"
"$ferrule" help http.timeuot 2>&1 | grep -q 'did you mean .http.timeout.' || echo "the nearest code is not named" >>"$work/found"
"$ferrule" help x13.count >/dev/null 2>&1 && echo "x13.count is explained" >>"$work/found"
result "help tells what a code means"

"$ferrule" hlep >"$work/out" 2>&1
[ $? = 2 ] || echo "an unknown verb: exit is not 2" >"$work/found"
"$ferrule" chekc 2>&1 | grep -q 'did you mean .check.' || echo "chekc: the nearest verb is not named" >>"$work/found"
result "a verb typed wrong is refused, and the nearest is named"
echo "1..$number"
