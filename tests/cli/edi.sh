#!/bin/sh
# `ferrule edi learn`: an overlay of a partner's files takes those files, and refuses what they never showed. Prints TAP.
set -u
source=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
ferrule=${FERRULE_BUILDDIR:-$source/build/dev}/ferrule
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

result() { # NAME STATUS
	n=$((n + 1))
	if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

document() { # CODE FILE: three orders
	{
		printf 'ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*U*00401*000000001*0*P*>~'
		printf 'GS*PO*ACME*HQ*20260101*1200*1*X*004010~'
		for i in 1 2 3; do
			printf 'ST*850*000%s~BEG*%s*SA*PO-%s**20260101~REF*DP*038~PO1*1*5*EA*9.50~CTT*1~SE*6*000%s~' $i "$1" $i $i
		done
		printf 'GE*3*1~IEA*1*000000001~'
	} >"$2"
}

document 00 "$work/a.edi"
document 01 "$work/b.edi"
"$ferrule" edi learn "$work/a.edi" >"$work/acme.yaml" 2>"$work/said"
result "learn proposes an overlay" $?
grep -q '^extends: x12-004010-850.yaml$' "$work/acme.yaml" && grep -q "{at: BEG01, codes: \['00'\]} # 3 of 3" "$work/acme.yaml" &&
	grep -q '{at: REF, use: M} # 3 of 3' "$work/acme.yaml" && grep -q '{at: CUR, use: never} # 0 of 3' "$work/acme.yaml"
result "it says what the files show, and how often" $?
"$ferrule" decode x12 --set grammars="[$work/acme.yaml]" --set check='[structure, codes, balance]' "$work/a.edi" >/dev/null 2>"$work/said"
result "the files that were learned from are taken by it" $?
"$ferrule" decode x12 --json --set grammars="[$work/acme.yaml]" --set check='[structure, codes, balance]' "$work/b.edi" >/dev/null 2>"$work/said"
[ $? = 1 ] && grep -q '"code":"x12.code"' "$work/said" && grep -q '"value":"01"' "$work/said"
result "what they never showed is refused, with all its findings" $?
"$ferrule" edi learn "$work/acme.yaml" >/dev/null 2>"$work/said"
[ $? = 1 ]
result "a file that is no EDI is told" $?
"$ferrule" edi lern "$work/a.edi" >/dev/null 2>"$work/said"
[ $? = 2 ] && grep -q 'learn' "$work/said"
result "another word is told with the one that is meant" $?
echo "1..$n"
