#!/bin/sh
# Shows that each rule of lint.sh can fail: a small tree that keeps them all, then one break at a time. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-lint.XXXXXX") || exit 1
trap 'rm -rf "$tree"' EXIT
number=0

# file PATH: writes standard input there.
file() {
	mkdir -p "$tree/$(dirname "$1")"
	cat >"$tree/$1"
}

head_of() {
	printf '/* A file. */\n#include "config.h"\n'
}

good_tree() {
	rm -rf "${tree:?}"/*
	{ head_of; echo '#include "base/a.h"'; } | file base/a.c
	printf '/* A. */\n#ifndef FERRULE_BASE_A_H\n#define FERRULE_BASE_A_H\n#endif\n' | file base/a.h
	{ head_of; echo '#include <openssl/evp.h>'; } | file base/crypto.c
	{ head_of; echo '#include "broker-adapters/file.h"'; } | file broker-adapters/file_sink.c
	printf '/* F. */\n#ifndef FERRULE_FILE_H\n#define FERRULE_FILE_H\n#endif\n' | file broker-adapters/file.h
	{ head_of; echo '#include "base/a.h"'; } | file cli/main.c
	echo 'X = %D%/a.c %D%/a.h %D%/b.c %D%/crypto.c %D%/file.h %D%/file_sink.c %D%/main.c' | file base/automake.mk
}

# expect RESULT RULE: what the lint says of the tree.
expect() {
	number=$((number + 1))
	if FERRULE_SRCDIR=$tree FERRULE_BUILDDIR=${2:+$tree} "$here/lint.sh" | grep -q "^$1 [0-9]* - $2"; then
		echo "ok $number - $1 - $2"
	else
		echo "not ok $number - $1 - $2"
		FERRULE_SRCDIR=$tree FERRULE_BUILDDIR=$tree "$here/lint.sh" | sed 's/^/# /'
	fi
}

breaks() {
	expect 'not ok' "$1"
	good_tree
}

good_tree
touch "$tree/config.h"
for rule in 'layers' 'peers' 'each foreign' 'config.h' 'headers' 'lines' 'files have' 'functions' 'every file' 'nothing' 'files say' 'shell'; do
	expect ok "$rule"
done

{ head_of; echo '#include "services/x.h"'; } | file operations/x.c
breaks 'layers'
{ head_of; echo '#include "transformers/x.h"'; } | file broker-adapters/x.c
breaks 'layers'
{ head_of; echo '#include "a.h"'; } | file base/b.c
breaks 'layers'
{ head_of; echo '#include "broker-adapters/file.h"'; } | file broker-adapters/http.c
expect ok 'peers'
{ head_of; echo 'const struct sink_ops file_ops = {0};'; } | file broker-adapters/file.c
breaks 'peers'
{ head_of; echo '#include <openssl/hmac.h>'; } | file operations/x.c
breaks 'each foreign'
printf '/* C. */\n#ifndef FERRULE_C_H\n#define FERRULE_C_H\n#include <openssl/evp.h>\n#endif\n' | file base/crypto_x.h
{ head_of; echo '#include "base/crypto_x.h"'; } | file base/b.c
breaks 'each foreign'
printf '/* B. */\n#include <stdio.h>\n#include "config.h"\n' | file base/b.c
breaks 'config.h'
{ head_of; echo '#include <stdio.h>'; echo '#include "base/a.h"'; } | file base/a.c
breaks 'config.h'
printf '/* B. */\n#ifndef FERRULE_BASE_A_H\n#define FERRULE_BASE_A_H\n#endif\n' | file base/b.h
breaks 'headers'
{ head_of; printf '\t\t/* %0105d */\n' 1; } | file base/b.c
breaks 'lines'
{ head_of; printf 'int x; \n'; } | file base/b.c
breaks 'lines'
{ head_of; yes 'int x;' | head -n 600; } | file base/b.c
breaks 'files have'
{ head_of; printf 'int f(void)\n{\n'; yes '	x();' | head -n 81; echo '}'; } | file base/b.c
breaks 'functions'
{ head_of; echo '	{"a.known", D, "x"},'; } | file config/error_codes.c
{ head_of; echo 'int x = error_set(error, ERROR_REJECT, "a.known", "a.other.c")'; } | file base/b.c
expect ok 'every error'
{ head_of; echo 'int x = error_set(error, ERROR_REJECT, "a.known", "x") + fail("a.unknown")'; } | file base/b.c
breaks 'every error'
{ head_of; echo '	{"a.known", D, "x"},'; } | file config/error_codes.c
{ head_of; echo 'int x = error_set(error, ERROR_RETRY, "a.known", "x")'; } | file base/b.c
breaks 'every error'
{ head_of; echo '	{"a.known", D, "x"},'; } | file config/error_codes.c
breaks 'every error'
head_of | file base/lost.c
breaks 'every file'
{ head_of; printf '#if %s\n#endif\n' 0; } | file base/b.c
breaks 'nothing'
{ head_of; printf '/* T%s: later */\n' ODO; } | file base/b.c
breaks 'nothing'
printf '#include "config.h"\n' | file base/b.c
breaks 'files say'
{ head_of; printf 'int f(void)\n{\n    return 1;\n}\n'; } | file base/b.c
breaks 'files say'
if command -v shellcheck >/dev/null; then
	# shellcheck disable=SC2016 # not ours to expand
	printf '#!/bin/sh\nrm $1/*\n' | file tests/x.sh
	breaks 'shell'
fi
if command -v objdump >/dev/null && command -v cc >/dev/null; then
	{ head_of; echo 'int x = 1; static int y; int *f(void); int *f(void) { return y++ ? &x : &y; }'; } | file base/b.c
	touch "$tree/config.h"
	(cd "$tree" && cc -I. -c -o base/b.o base/b.c)
	breaks 'no state'
fi

echo "1..$number"
