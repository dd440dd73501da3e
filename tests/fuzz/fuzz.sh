#!/bin/bash
# usage: fuzz.sh SECONDS FUZZER… Each program looks for inputs that break it, beginning with its corpus, with the words of its
# dictionary if there is one; what is new goes into a folder beside it, findings too. Run by `make fuzz`; the programs must be
# libFuzzer's (CC=clang, --enable-fuzzing).
set -u
seconds=$1
shift
source=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
failed=0

for fuzzer in "$@"; do
	name=${fuzzer##*/fuzz_}
	if ! grep -q LLVMFuzzerRunDriver "$fuzzer"; then
		echo "$fuzzer only replays files: configure with CC=clang --enable-fuzzing" >&2
		exit 2
	fi
	mkdir -p "$fuzzer.corpus" "$fuzzer.findings"
	words=()
	if [ -e "$source/tests/fuzz/dictionaries/$name" ]; then
		words=(-dict="$source/tests/fuzz/dictionaries/$name")
	fi
	"$fuzzer" "${words[@]}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=65536 \
		-print_final_stats=1 -artifact_prefix="$fuzzer.findings/" "$fuzzer.corpus" "$source/tests/fuzz/corpus/$name" >"$fuzzer.log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzzer.log")
	if [ "$status" = 0 ]; then
		echo "$name: ${runs:-0} runs, no finding"
	else
		failed=1
		echo "$name: FOUND something, see $fuzzer.log and $fuzzer.findings/"
		grep -m 3 -E 'ERROR|runtime error|SUMMARY' "$fuzzer.log"
	fi
done
exit "$failed"
