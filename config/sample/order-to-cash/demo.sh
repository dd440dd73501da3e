#!/bin/bash
# The main job, once through: a partner's files and a CRM's events become orders for the ERP, the support tool and finance.
# usage: demo.sh BUILD-DIRECTORY WORK-DIRECTORY. Ends by itself and leaves nothing running.
set -euo pipefail
build=$1 work=$2
ferrule=$build/ferrule counterpart=$build/tests/lab/counterpart
sample=$(cd "$(dirname "$0")" && pwd)
site=$work/site

relative() { case $1 in "$PWD"/*) echo "${1#"$PWD"/}" ;; *) echo "$1" ;; esac; }
say() { printf '\n== %s\n' "$*"; }

processes=()
finish() {
	local pid
	for pid in "${processes[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${processes[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT

wait_for() { # wait_for WHAT COMMAND…: up to 20 s
	local what=$1 tries=0
	shift
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -gt 200 ]; then
			echo "demo: $what did not come up; see $work/*.log" >&2
			exit 1
		fi
		sleep 0.1
	done
}

# A site is a directory: here it comes from the template that `ferrule init` writes.
say "A new site in $site"
rm -rf "$work"
mkdir -p "$work"
"$ferrule" init "$site" --template order-to-cash | head -1
secret() { head -c 24 /dev/urandom | base64; }
(umask 077 && printf 'whsec_%s\n' "$(secret)" >"$site/secrets/crm-webhook" && secret >"$site/secrets/support-token")

say "The other side: a support tool over HTTP, and an ERP that takes files out of its import folder as they arrive"
"$counterpart" serve --idempotent --log "$work/support.jsonl" --port-file "$work/support.port" >"$work/support.log" 2>&1 &
processes+=($!)
mkdir -p "$site/drop/acme" "$site/drop/erp/in"
"$counterpart" take "$site/drop/erp/in" "$work/erp.jsonl" >"$work/erp.log" 2>&1 &
processes+=($!)
wait_for "the support tool" test -s "$work/support.port"
export LISTEN_PORT=0 ACME_AGE=200ms
SUPPORT_URL=http://127.0.0.1:$(cat "$work/support.port")
export SUPPORT_URL
{
	echo "# What this site is run with: . $(relative "$work")/demo.env"
	echo "export LISTEN_PORT=0 ACME_AGE=200ms SUPPORT_URL=$SUPPORT_URL"
} >"$work/demo.env"

say "Checking it"
"$ferrule" check "$site"

say "ACME drops its files, the site starts"
cp "$sample"/input/acme/*.edi "$site/drop/acme/"
ls "$site/drop/acme"
"$ferrule" run "$site" >"$work/ferrule.log" 2>&1 &
running=$!
processes+=("$running")
wait_for "the site" grep -q 'ready site=' "$work/ferrule.log"
port=$(cat "$site/data/run/http.port")

say "The CRM posts what sales has won"
"$counterpart" post "http://127.0.0.1:$port/crm/opportunities" "$sample"/input/crm/*.json --secret-file "$site/secrets/crm-webhook"

say "Under way"
"$ferrule" status "$site" --until-idle 60s

say "ACME delivers one file a second time"
cp "$sample"/input/acme/again/*.edi "$site/drop/acme/"
sleep 0.6
"$ferrule" status "$site" --until-idle 60s

kill -TERM "$running"
wait "$running" || { echo "demo: the site did not end cleanly; see $work/ferrule.log" >&2; exit 1; }

say "What happened"
"$ferrule" status "$site" --totals
printf '\n  the ERP took %s files away; the support tool holds %s entitlements; finance has %s CSV files\n' \
	"$(wc -l <"$work/erp.jsonl")" "$(wc -l <"$work/support.jsonl")" "$(find "$site/drop/finance" -name '*.csv' | wc -l)"

number=$("$ferrule" dead list --site "$site" --json | sed -n 's/.*"number": \([0-9]*\).*/\1/p' | head -1)
order=$(sed -n 's/.*"name":"\([^"]*\)\.xml".*/\1/p;s/.*"name": "\([^"]*\)\.xml".*/\1/p' "$work/erp.jsonl" | head -1)
f=$(relative "$ferrule") s=$(relative "$site")
cat <<END

Next, as you like (nothing is running now; each of these works as it stands):
  . $(relative "$work")/demo.env
  $f trace ${order:-PO-4711} --site $s
  $f dead show ${number:-1} --site $s
  $f status $s
  $f decode x12 $(relative "$sample")/input/acme/20260302-acme-0001.edi
  cat $s/flows/acme-orders.yaml
A first flow of your own: README.md
END
