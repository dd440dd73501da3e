#!/bin/sh
# The counterpart itself: what the crash tests rely on. TAP.
set -u
command -v curl >/dev/null || { echo "1..0 # SKIP there is no curl program"; exit 0; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/ferrule-counterpart.XXXXXX") || exit 1
program=${FERRULE_BUILDDIR:-.}/tests/lab/counterpart
started=
# shellcheck disable=SC2154 # pid is the loop's
trap 'for pid in $started; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$dir"' EXIT
number=0
ok() { # NAME: the last command's result
	result=$?
	number=$((number + 1))
	[ $result -eq 0 ] && echo "ok $number - $1" || echo "not ok $number - $1"
}
wait_for() { # COMMAND…: at most 5 s
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}
empty() { [ -z "$(ls "$1")" ]; }
lines() { [ "$(wc -l <"$1")" -eq "$2" ]; }
echo "1..6"

serve() {
	rm -f "$dir/port"
	"$program" serve --log "$dir/effects" --port-file "$dir/port" --idempotent >"$dir/serve.out" &
	server=$!
	started="$started $server"
	wait_for test -s "$dir/port"
	url=http://127.0.0.1:$(cat "$dir/port")
}
put() { curl -s --noproxy '*' -o "$dir/answer" -w '%{http_code}' -H "Idempotency-Key: \"$1\"" -d '{}' "$url/x"; }

serve
put a >/dev/null
put a >/dev/null
put b >/dev/null
lines "$dir/effects" 2
ok "the same key has one effect"
kill -9 "$server"
wait "$server" 2>/dev/null
printf '{"order":3,"key":"half' >>"$dir/effects"
serve
[ "$(put a)" = 201 ] && [ "$(put c)" = 201 ] && lines "$dir/effects" 3
ok "keys and count survive a kill in the middle of a line"
kill "$server"
wait "$server" && grep -q '2 requests, 3 effects, 1 recognised' "$dir/serve.out"
ok "it sums up when it ends"

mkdir "$dir/in"
take() {
	"$program" take "$dir/in" "$dir/taken" "$@" >"$dir/take.out" &
	taker=$!
	started="$started $taker"
}
for i in $(seq 40); do echo "$i" >"$dir/in/$i.xml"; done
echo half >"$dir/in/.x.tmp"
for _ in 1 2 3; do
	take --delay 5
	sleep 0.06
	kill -9 "$taker"
	wait "$taker" 2>/dev/null
done
take
wait_for empty "$dir/in" && lines "$dir/taken" 40
ok "a reader that is killed counts each file once and leaves hidden ones alone"
kill "$taker"
wait "$taker" && grep -q 'took 40 files' "$dir/take.out" && [ -e "$dir/in/.x.tmp" ]
ok "it says how many it took"

echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$dir/secret"
printf '{"a":1}\n{"a":2}\n' >"$dir/lines.jsonl"
serve
[ "$("$program" post "$url/hook" "$dir/lines.jsonl" --secret-file "$dir/secret" --id evt | cut -d' ' -f1,2)" = '201 evt
201 evt-2' ]
ok "each line is posted under an id of its own"
