#!/bin/bash
# The README's first flow, typed as it stands there, in a directory where ./bootstrap build has been run. Prints TAP.
set -u
src=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${FERRULE_BUILDDIR:?the directory of a build}
work=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-readme.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
# Deeper than the name of a socket may be long.
clone="$work/a directory/$(printf '%0100d' 0)/clone"
number=0

# expect NAME COMMAND…
expect() {
	local name=$1
	shift
	number=$((number + 1))
	if "$@" >"$work/why" 2>&1; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		sed 's/^/# /' "$work/why" "$work/said"
	fi
}

# Processes that work below a directory.
none_below() {
	local process
	for process in /proc/[0-9]*; do
		case $(readlink "$process/cwd" 2>/dev/null) in "$1"*) tr '\0' ' ' <"$process/cmdline" && return 1 ;; esac
	done
	return 0
}

mkdir -p "$clone/build"
ln -s "$build" "$clone/build/release"
awk '/^## /{ on = /A first flow/ } on && /^```sh/{ code = 1; next } /^```/{ code = 0 } code' "$src/README.md" >"$work/typed.sh"
(cd "$clone" && timeout 60 bash -e "$work/typed.sh") >"$work/said" 2>&1
status=$?

expect "there is something to type" test -s "$work/typed.sh"
expect "every command of it succeeds" test "$status" = 0
expect "the order has become a file for the other system" \
	grep -qE '^"?PO-1"?,"?A-7"?,"?5"?' "$clone/hello/out/PO-1.csv"
expect "trace tells where it went" grep -q 'delivered' "$work/said"
expect "the broken one is a dead letter that says where it broke" grep -qE 'json\.[a-z]+' "$work/said"
expect "its original is kept and nothing of it was delivered" test ! -e "$clone/hello/out/PO-2.csv"
expect "nothing is left running" none_below "$work"
echo "1..$number"
