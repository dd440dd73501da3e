#!/bin/bash
# A server of pyftpdlib for a test, which shares no code with ProFTPD: one partner with a password, everything in one
# directory, private ports on 127.0.0.1. Verbs and what `env` tells are those of ftp-proftpd.sh, but for ports that only
# one of them has: FTP_PASV (no EPSV, and PASV names another machine), FTP_WHOLE (no REST).
set -u
verb=${1:-}
dir=${2:-}
if [ -z "$verb" ] || [ -z "$dir" ]; then
	sed -n '2,4s/^# \{0,1\}//p' "$0"
	exit 2
fi
shift 2
here=$(cd "${BASH_SOURCE%/*}" && pwd)
password=lab-Secret-1
user=acme
names="PORT PLAIN LIST PASV WHOLE IMPLICIT EXPIRED OTHER ASKING OLD NEW"

fail()
{
	echo "ftp-pyftpdlib.sh: $*" >&2
	exit 1
}

free_port()
{
	local port

	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		case " $taken " in *"=$port "*) continue ;; esac
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo $port
}

enter()
{
	[ -f "$dir/ports" ] || fail "$dir holds no server: ftp-pyftpdlib.sh up $dir"
	dir=$(cd "$dir" && pwd)
	read -r taken < "$dir/ports"
}

server_pid()
{
	local pid

	[ -f "$dir/pid" ] && read -r pid < "$dir/pid" && grep -qa pyftpdlib "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

gone()
{
	local state

	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ] || [ "$state" = X ]
}

start()
{
	local tries=0

	server_pid > /dev/null && return
	rm -f "$dir/pid"
	# shellcheck disable=SC2086 # words
	setsid /usr/bin/python3 -W ignore "$here/ftp-pyftpdlib.py" "$dir" "$user" "$password" $taken > "$dir/out.log" 2>&1 < /dev/null 3>&- &
	until server_pid > /dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ]; then
			tail -20 "$dir/out.log" >&2
			fail "the server did not start: see $dir/out.log"
		fi
		sleep 0.1
	done
}

end()
{
	local pid tries=0

	pid=$(server_pid) || return 0
	kill -KILL "$pid" 2>/dev/null
	while ! gone "$pid" && [ $tries -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	rm -f "$dir/pid"
}

guard() # PID
{
	while ! gone "$1" && [ -f "$dir/ports" ]; do
		sleep 1
	done
	[ ! -f "$dir/ports" ] || down
}

down()
{
	end
	rm -rf "$dir"
}

print_env()
{
	printf 'FTP_HOST=127.0.0.1\nFTP_USER=%s\nFTP_PASSWORD=%s\nFTP_HOME=%s\nFTP_CA=%s\nFTP_CLIENT=%s\n' "$user" "$password" \
		"$dir/home/$user" "$dir/tls/ca.pem" "$dir/tls/client"
	# shellcheck disable=SC2086 # words
	printf 'FTP_%s\n' $taken
}

case $verb in
up)
	/usr/bin/python3 -W ignore -c 'import pyftpdlib.handlers, OpenSSL' 2>/dev/null ||
		fail "no pyftpdlib with TLS here: apt-get install python3-pyftpdlib python3-openssl"
	mkdir -p "$dir" || exit 1
	dir=$(cd "$dir" && pwd)
	owner=
	[ "${1:-}" != --while ] || owner=${2:?--while needs a process}
	"$here/ftp-certificates.sh" "$dir/tls" || fail "no certificates"
	mkdir -p "$dir/home/$user"/{inbox,outbox,archive}
	taken=
	for name in $names; do
		taken="$taken$name=$(free_port) "
	done
	echo "$taken" > "$dir/ports"
	start
	if [ -n "$owner" ]; then
		setsid "$0" guard "$dir" "$owner" > /dev/null 2>&1 < /dev/null 3>&- &
	fi
	print_env
	;;
env) enter; print_env ;;
guard) enter; guard "${1:?guard needs a process}" ;;
start) enter; start ;;
stop) enter; end ;;
down) [ -f "$dir/ports" ] || exit 0; enter; down ;;
*) fail "unknown verb $verb: up, env, start, stop, down" ;;
esac
