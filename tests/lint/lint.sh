#!/bin/sh
# The house rules that a machine can check, as TAP. Run by `make check`; by hand: tests/lint/lint.sh
# A finding is file:line: what is wrong.
set -u
LC_ALL=C
export LC_ALL

src=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${FERRULE_BUILDDIR:-}
cd "$src" || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-lint.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
number=0

folders=
for folder in base config transformers broker-adapters b2b mft operations services cli tests; do
	[ -d "$folder" ] && folders="$folders $folder"
done
# shellcheck disable=SC2086 # a list of words
find $folders -type f \( -name '*.c' -o -name '*.h' \) | sort >"$work/c"
grep -v '^tests/' "$work/c" >"$work/program"
{
	cat "$work/c"
	# shellcheck disable=SC2086
	find $folders docs -type f \( -name '*.mk' -o -name '*.sh' -o -name '*.py' -o -name '*.jq' \) 2>/dev/null
	find . -maxdepth 1 -type f \( -name 'configure.ac' -o -name 'Makefile.am' -o -name 'bootstrap' \)
} | sort >"$work/text"

# result NAME FILE: the rule holds when the file of findings is empty.
result() {
	number=$((number + 1))
	if [ -s "$2" ]; then
		echo "not ok $number - $1"
		sed 's/^/# /' "$2" | head -n 200
	else
		echo "ok $number - $1"
	fi
}

skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# over LIST PROGRAM: awk over every file of a list.
over() {
	list=$1
	shift
	tr '\n' '\0' <"$list" | xargs -0 awk "$@"
}

# Every include as "file line kind name"; kind is q for "…", a for <…>.
# shellcheck disable=SC2016 # awk
over "$work/c" '
	/^[ \t]*#[ \t]*include[ \t]*"/ { split($0, p, "\""); print FILENAME, FNR, "q", p[2] }
	/^[ \t]*#[ \t]*include[ \t]*</ { split($0, p, /[<>]/); print FILENAME, FNR, "a", p[2] }' >"$work/includes"

# ---- layers ---------------------------------------------------------------------------------------------------------
awk '
	BEGIN {
		level["base"] = 0; level["config"] = 1; level["transformers"] = level["broker-adapters"] = 2
		level["b2b"] = level["mft"] = 3; level["operations"] = 4; level["services"] = 5; level["cli"] = 6
	}
	$3 == "q" && $4 != "config.h" {
		from = $1; sub(/\/.*/, "", from)
		to = $4
		if (!sub(/\/.*/, "", to)) { print $1 ":" $2 ": include \"" $4 "\" with its folder"; next }
		if (from == "tests") next
		if (!(to in level)) print $1 ":" $2 ": includes \"" $4 "\", which is in no layer"
		else if (to != from && level[to] >= level[from])
			print $1 ":" $2 ": " from "/ may not include " to "/: layers point down"
	}' "$work/includes" >"$work/found"
result "layers point down" "$work/found"

# A peer is what has an ops table: an adapter, a step. Files of one part share the first word of their names: file_source.c and
# file_sink.c may share file.h.
# shellcheck disable=SC2046 # a list of words
grep -l -E '^(static )?const struct [a-z]+_ops [a-z0-9_]+ = \{' $(grep '\.c$' "$work/program") /dev/null >"$work/peers"
awk '
	function part(path) { sub(/.*\//, "", path); sub(/[_.].*/, "", path); return path }
	FILENAME != ARGV[2] { sub(/\.c$/, ".h"); peer[$0] = 1; next }
	$3 == "q" && $1 ~ /^(transformers|broker-adapters|b2b|mft)\// && $4 in peer {
		from = $1; sub(/\/.*/, "", from)
		to = $4; sub(/\/.*/, "", to)
		if (from == to && part($1) != part($4))
			print $1 ":" $2 ": includes its peer \"" $4 "\"; they meet through a contract in base/"
	}' "$work/peers" "$work/includes" >"$work/found"
result "peers do not include peers" "$work/found"

# ---- foreign libraries ------------------------------------------------------------------------------------------------
# One file, or where it would be too long the files of one part with a header of their own. libcurl is several libraries in one coat: each
# protocol that an adapter takes from it is behind that adapter's own fence.
awk '
	function part(path, name) {
		name = path; sub(/.*\//, "", name); sub(/[_.].*/, "", name); sub(/[^\/]*$/, "", path)
		return path name
	}
	function library(header, from) {
		if (header ~ /^sqlite3/) return "sqlite"
		if (header ~ /^(libpq|postgres_|pg_config)/) return "libpq"
		if (header ~ /^(rabbitmq-c\/|amqp)/) return "rabbitmq-c"
		if (header ~ /^curl\//) return from ~ /\/mail_/ ? "libcurl (SMTP)" : from ~ /\/ftp_/ ? "libcurl (FTP)" : from ~ /\/syslog_/ ? "libcurl (TCP and TLS)" : "libcurl"
		if (header ~ /^microhttpd/) return "libmicrohttpd"
		if (header ~ /^openssl\//) return "libcrypto"
		if (header ~ /^yaml/) return "libyaml"
		if (header ~ /^pcre2/) return "pcre2"
		if (header ~ /^libxml\//) return "libxml2"
		if (header ~ /^libxslt\//) return "libxslt"
		if (header ~ /^archive(_entry)?\.h/) return "libarchive"
		if (header ~ /^gpgme/) return "gpgme"
		if (header ~ /^(jq|jv)/) return "libjq"
		if (header ~ /^(libssh2|expat|zlib)/) return header
		return ""
	}
	$1 ~ /^tests\// { next }
	$3 == "a" && $4 ~ /^cmocka/ { print $1 ":" $2 ": cmocka belongs to tests" }
	$3 == "a" {
		name = library($4, $1); mine = part($1)
		if (name == "") next
		if (!(name in fence)) fence[name] = mine
		else if (fence[name] != mine)
			print $1 ":" $2 ": includes " name ", which " fence[name] "* fences; one part for each library"
		if ($1 ~ /\.h$/) shows[$1] = name
	}
	$3 == "q" { at[++n] = $1 ":" $2; from[n] = $1; to[n] = $4 }
	END {
		for (i = 1; i <= n; i++)
			if (to[i] in shows && part(from[i]) != part(to[i]))
				print at[i] ": includes \"" to[i] "\", which shows it " shows[to[i]]
	}' "$work/includes" >"$work/found"
result "each foreign library is included by one part" "$work/found"

# ---- files -------------------------------------------------------------------------------------------------------------
awk '
	$1 ~ /\.c$/ {
		if ($1 != last) { count = 0; last = $1 }
		count++
		if (count == 1 && !($3 == "q" && $4 == "config.h"))
			print $1 ":" $2 ": \"config.h\" comes first"
		own = $1; sub(/\.c$/, ".h", own)
		if ($1 !~ /^tests\// && $3 == "q" && $4 == own && count != 2)
			print $1 ":" $2 ": its own header comes right after \"config.h\""
	}' "$work/includes" >"$work/found"
result "config.h comes first, then a file's own header" "$work/found"

# shellcheck disable=SC2016 # awk
over "$work/c" '
	FNR == 1 { if (NR > 1) check(); file = FILENAME; name = "" }
	/^#ifndef FERRULE_/ && name == "" { name = $2 }
	function check() {
		if (file !~ /\.h$/) return
		if (name == "") print file ":1: a header begins with #ifndef FERRULE_…_H"
		else if (name in taken) print file ":1: " taken[name] " has the same include guard"
		taken[name] = file
	}
	END { check() }' >"$work/found"
result "headers have include guards of their own" "$work/found"

# shellcheck disable=SC2016 # awk
{
	over "$work/c" '
		{
			column = 0; rest = $0
			gsub(/[\200-\277]/, "", rest) # the later bytes of a UTF-8 character
			n = length(rest)
			for (i = 1; i <= n; i++) column += substr(rest, i, 1) == "\t" ? 8 - column % 8 : 1
			if (column > 120) print FILENAME ":" FNR ": " column " columns, the limit is 120"
		}'
	over "$work/text" '/[ \t\r]$/ { print FILENAME ":" FNR ": white space at the end" }'
} >"$work/found"
result "lines have at most 120 columns and no white space at their end" "$work/found"

over "$work/text" '
	FNR == 1 && NR > 1 && lines > 600 { print file ":1: " lines " lines, the limit is 600: split it" }
	{ file = FILENAME; lines = FNR }
	END { if (lines > 600) print file ":1: " lines " lines, the limit is 600: split it" }' >"$work/found"
result "files have at most 600 lines" "$work/found"

over "$work/c" '
	FNR == 1 { start = 0 }
	/^\{/ { start = FNR }
	/^\}/ && start {
		if (FNR - start > 80) print FILENAME ":" start ": " FNR - start " lines in one function, the limit is 80"
		start = 0
	}' >"$work/found"
result "functions have at most 80 lines" "$work/found"

over "$work/text" '
	/^[ \t]*#[ \t]*if[ \t]+0/ { print FILENAME ":" FNR ": code that is switched off; the history keeps it" }
	/T[O]DO|FI[X]ME/ { print FILENAME ":" FNR ": an open end; do it, or write it down in the issue" }' >"$work/found"
result "nothing is switched off or left open" "$work/found"

# A name that may be meant is told in one form: NEAR of base/finding.h.
grep -v '^base/finding\.h$' "$work/program" | tr '\n' '\0' | xargs -0 grep -niE '(did|do|perhaps) you mean' >"$work/found"
result "names that may be meant are told in one form" "$work/found"

over "$work/c" '
	FNR == 1 && !/^\/\*/ { print FILENAME ":1: the head of a file says what it is" }
	/^  +[^ *]/ && !/^ *\*/ { print FILENAME ":" FNR ": indented with spaces" }' >"$work/found"
result "files say what they are and are indented with tabs" "$work/found"

# What no makefile names is not built, not run and not distributed.
# shellcheck disable=SC2086
find Makefile.am $folders docs -name '*.mk' -print0 -o -name Makefile.am -print0 2>/dev/null | xargs -0 cat >"$work/made"
{
	sed 's/$/ /' "$work/c"
	# shellcheck disable=SC2086
	find $folders docs -type f \( -name '*.sh' -o -name '*.py' -o -name '*.md' -o -name '*.jq' \) 2>/dev/null | grep -v -e '^tests/golden/' -e '^tests/broken/base/' -e '^tests/fuzz/sites/'
} | while read -r file; do
	grep -qF "/$(basename "$file")" "$work/made" || echo "$file:1: no makefile names it"
done >"$work/found"
result "every file is named in a makefile" "$work/found"

# ---- codes of findings ---------------------------------------------------------------------------------------------------
# What a person is told by `check` has a code that stands in the table, and a broken site that shows it.
# shellcheck disable=SC2016 # awk
over "$work/program" '
	/(finding_add|finding_add_within|load_error|load_warning|option_fault)\(/ { left = 4 }
	left-- > 0 {
		gsub(/"[a-z]+\.(yaml|jq|json)"/, "")
		if (!match($0, /"[a-z]+\.[a-z-]+"/)) next
		print FILENAME ":" FNR, substr($0, RSTART + 1, RLENGTH - 2); left = 0
	}' | while read -r place code; do
	case $place in services/* | cli/*) continue ;; esac
	if ! grep -q "{\"$code\"," config/codes.c; then
		echo "$place: give $code a line in config/codes.c, and a site in tests/broken/NAME.case"
	elif ! grep -q -F "[$code]" tests/broken/*.case; then
		echo "$place: no tests/broken/NAME.case shows $code (write one, FERRULE_UPDATE=1 fills in what is said)"
	fi
done >"$work/found"
result "every finding has a code in the table, and a broken site" "$work/found"

# ---- codes of errors -----------------------------------------------------------------------------------------------------
# Whatever looks like a code in the sources is one of the two tables', a question or a change of the queue process (operations/ask.c), a name
# of a fault point or a file, or one of these words of other protocols and places.
codes_not=' amqp.message backstop.queue backstop.reason basic.nack connection.blocked excluded.who ferrule.unreadable lineage.db site.db '
# shellcheck disable=SC2016 # awk
codes='
	/FAULT|fault_|#include/ { next }
	{
		line = $0
		while (match(line, /"[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z0-9][a-z0-9-]*"/)) {
			code = substr(line, RSTART + 1, RLENGTH - 2)
			before = substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			if (code ~ /\.(h|yaml|csv|sh|txt|json|jq|py|md)$/ && code != "contract.json") continue
			if (index(not, " " code " ")) continue
			class = match(before, /ERROR_[A-Z]+, *$/) ? substr(before, RSTART + 6) : "-"
			sub(/, *$/, "", class)
			print code, class, FILENAME ":" FNR
		}
	}'
if [ -f config/error_codes.c ]; then
	grep -o '{"[a-z0-9.-]*", [A-Z |]*' config/error_codes.c | tr -d '{",|' | sort >"$work/errors"
	grep -o '{"[a-z0-9.-]*", [EW],' config/codes.c 2>/dev/null | tr -d '{",' | sort >"$work/findings"
	awk -v not='' "$codes" operations/ask.c 2>/dev/null | cut -d' ' -f1 | sort -u >"$work/asks"
	grep '\.c$' "$work/program" | grep -v -x -e operations/ask.c -e config/codes.c -e config/error_codes.c | tr '\n' '\0' |
		xargs -0 awk -v not="$codes_not" "$codes" >"$work/codes"
	# shellcheck disable=SC2016 # awk
	awk '
		FILENAME ~ /errors$/ { words = $0; sub(/^[^ ]+/, "", words); error[$1] = words; next }
		FILENAME ~ /findings$/ { finding[$1] = 1; next }
		FILENAME ~ /asks$/ { ask[$1] = 1; next }
		{
			used[$1] = 1
			if (!($1 in error) && !($1 in finding) && (!($1 in ask) || $2 != "-"))
				print $3 ": give " $1 " a line in config/error_codes.c"
			need = $2 == "RETRY" ? "[AV]" : $2 == "DOUBT" ? "Q" : $2 == "REJECT" ? "[DV]" : $2 == "FATAL" ? "[FV]" : ""
			if (need && $1 in error && error[$1] !~ need)
				print $3 ": config/error_codes.c does not say of " $1 " what becomes of it here: " $2
		}
		END {
			for (code in error)
				if (!(code in used) && !(code in ask) && code !~ /NNN$/)
					print "config/error_codes.c:1: nothing uses " code " any more"
		}' "$work/errors" "$work/findings" "$work/asks" "$work/codes" | sort >"$work/found"
	grep -o '{"[a-z0-9.-]*"' config/error_codes.c | tr -d '{"' | sort -c 2>>"$work/found"
	result "every error has a code in the tables" "$work/found"
fi

# ---- globals -------------------------------------------------------------------------------------------------------------
# Asked of the objects, which cannot be misread. Constants with addresses in them are in .data.rel.ro; a call site of the log has its counter.
globals() {
	# The log, the clock, progress, pace and fault points belong to a process by nature; a handler called by libjq reaches nothing but file scope.
	allowed=' base/log.o base/clock.o base/fault.o base/pace.o base/progress.o base/expression.o '
	sed -n 's/\.c$/.o/p' "$work/program" | grep -v '^services/' | while read -r object; do
		case $allowed in *" $object "*) continue ;; esac
		[ -f "$build/$object" ] || continue
		objdump -t "$build/$object" | awk -v object="$object" '
			$0 ~ / O / {
				section = $(NF - 2); name = $NF
				if (section !~ /^\.(data|bss|tdata|tbss)/ || section ~ /^\.data\.rel\.ro/) next
				if (name ~ /^(log_site_here|__)/) next
				file = object; sub(/\.o$/, ".c", file)
				print file ":1: `" name "` can change; state lives in a struct, or in services/"
			}'
	done
}
if [ -z "$build" ] || ! command -v objdump >/dev/null; then
	skip "no state outside services/" "needs the objects of a build, and objdump"
elif grep -qs '^#define FERRULE_SANITIZED' "$build/config.h"; then
	skip "no state outside services/" "a build with sanitizers adds its own"
else
	globals >"$work/found"
	result "no state outside services/" "$work/found"
fi

# ---- shell -------------------------------------------------------------------------------------------------------------------
if command -v shellcheck >/dev/null; then
	{
		printf '%s\n' bootstrap autogen.sh .ci/run
		find tests -type f -name '*.sh' 2>/dev/null
	} | tr '\n' '\0' | xargs -0 grep -l -s -E '^#!.*sh( -[a-z]+)*$' >"$work/shell"
	tr '\n' '\0' <"$work/shell" | xargs -0 -r shellcheck -x -e SC1091 -f gcc >"$work/found" 2>&1
	result "shell scripts pass shellcheck" "$work/found"
else
	skip "shell scripts pass shellcheck" "shellcheck is not installed"
fi

# ---- what is made of the tables --------------------------------------------------------------------------------------------
reference() {
	for page in $("$build/ferrule" help --markdown); do
		"$build/ferrule" help --markdown "$page" >"$work/page.md"
		diff "docs/reference/$page.md" "$work/page.md" >"$work/difference" 2>&1 && continue
		echo "docs/reference/$page.md:1: is out of date: type \`make docs\` and commit it"
		head -n 20 "$work/difference"
	done
}
if [ -n "$build" ] && [ -x "$build/ferrule" ]; then
	reference >"$work/found"
	result "the reference says what the tables say" "$work/found"
else
	skip "the reference says what the tables say" "needs a build"
fi

echo "1..$number"
