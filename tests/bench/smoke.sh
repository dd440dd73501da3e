#!/bin/sh
# The benchmarks run and print JSON; how fast is not looked at. TAP.
set -u
src=${FERRULE_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${FERRULE_BUILDDIR:-$PWD}
work=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-smoke.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

python3 "$src/tests/bench/bench.py" "$build" --smoke >"$work/out" 2>"$work/err"
status=$?
number=0
for name in machine spool_hop spool_publish_under_load schema edi_850 edi_810 edi_orders csv fixed_width xml_split sftp openpgp_encrypt start_to_ready idle_memory main_job_spool amqp_hop main_job_amqp; do
	number=$((number + 1))
	line=$(grep "^{\"bench\": \"$name" "$work/out")
	case $line in
	'') echo "not ok $number - the benchmark $name prints its figures" ;;
	*'"skipped"'*) echo "ok $number - the benchmark $name prints its figures # SKIP its servers are not installed" ;;
	*) echo "ok $number - the benchmark $name prints its figures" ;;
	esac
done
number=$((number + 1))
if [ "$status" = 0 ] && python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <"$work/out"; then
	echo "ok $number - every line is JSON"
else
	echo "not ok $number - every line is JSON, exit status $status"
	sed 's/^/# /' "$work/err" "$work/out" | head -40
fi
echo "1..$number"
