#!/bin/bash
# ProFTPD of its own for a test, FTP and FTPS in each way that a partner may have it: one partner with a password,
# everything in one directory, private ports on 127.0.0.1, nothing of the machine touched. Needs root.
#
#   ftp-proftpd.sh up DIR [--while PID]
#                              makes DIR, starts the server, waits until it takes connections, prints `env`; with PID it
#                              goes `down` by itself when that process has ended
#   ftp-proftpd.sh env DIR     FTP_HOST, FTP_USER, FTP_PASSWORD, FTP_HOME (what the partner sees), FTP_CA, FTP_CLIENT
#                              (NAME.pem and NAME.key of a client), and ports: FTP_PORT (TLS on request, or none),
#                              FTP_IMPLICIT, FTP_PLAIN (no TLS to be had), FTP_EXPIRED, FTP_OTHER (certificates),
#                              FTP_ASKING (wants a certificate of ours), FTP_LIST (neither MLSD nor MLST), FTP_OLD and
#                              FTP_NEW (TLS 1.2 or 1.3 and no other), FTP_KEEPS (files cannot be written over),
#                              FTP_FORBIDS (nor deleted)
#   ftp-proftpd.sh stop|start DIR   ends the server with all its connections; starts it again
#   ftp-proftpd.sh down DIR    ends exactly what was started and removes DIR
set -u
verb=${1:-}
dir=${2:-}
if [ -z "$verb" ] || [ -z "$dir" ]; then
	sed -n '2,17s/^# \{0,1\}//p' "$0"
	exit 2
fi
shift 2
password=lab-Secret-1
user=acme
number=61100
names="PORT IMPLICIT PLAIN EXPIRED OTHER ASKING LIST OLD NEW KEEPS FORBIDS"

fail()
{
	echo "ftp-proftpd.sh: $*" >&2
	exit 1
}

free_port()
{
	local port

	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		case " $taken " in *" $port "*) continue ;; esac
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo $port
}

make_account()
{
	local hash

	(umask 077; : > "$dir/passwd"; : > "$dir/group")
	hash=$(printf '%s' "$password" | openssl passwd -6 -stdin)
	echo "$user:$hash:$number:$number::$dir/home/$user:/bin/false" >> "$dir/passwd"
	echo "$user:x:$number:" >> "$dir/group"
	mkdir -p "$dir/home/$user"/{inbox,outbox,archive}
	chown -R "$number:$number" "$dir/home/$user"
	chmod 755 "$dir" "$dir/home"
}

host() # NAME PORT
{
	cat <<-END
		ServerName "lab $1"
		Port $2
		User nobody
		Group nogroup
		Umask 027
		RequireValidShell off
		AuthOrder mod_auth_file.c
		AuthUserFile $dir/passwd
		AuthGroupFile $dir/group
		DefaultRoot ~
		AllowOverwrite $(case $1 in KEEPS | FORBIDS) echo off ;; *) echo on ;; esac)
		AllowStoreRestart $(case $1 in KEEPS | FORBIDS) echo off ;; *) echo on ;; esac)
		AllowRetrieveRestart on
		TimeoutIdle 600
	END
	case $1 in
	PLAIN | KEEPS) return ;;
	FORBIDS)
		printf '<Limit DELE>\nDenyAll\n</Limit>\n'
		return
		;;
	LIST) printf 'FactsAdvertise off\n<Limit MLSD MLST>\nDenyAll\n</Limit>\n' ;;
	esac
	cat <<-END
		TLSEngine on
		TLSLog $dir/tls.log
		TLSProtocol $(case $1 in OLD) echo TLSv1.2 ;; NEW) echo TLSv1.3 ;; *) echo TLSv1.2 TLSv1.3 ;; esac)
		TLSRSACertificateFile $dir/tls/$(case $1 in EXPIRED) echo expired ;; OTHER) echo other ;; *) echo server ;; esac).pem
		TLSRSACertificateKeyFile $dir/tls/server.key
		TLSRequired off
	END
	[ "$1" != IMPLICIT ] || echo "TLSOptions UseImplicitSSL"
	[ "$1" != ASKING ] || printf 'TLSCACertificateFile %s\nTLSVerifyClient on\n' "$dir/tls/ca.pem"
}

write_config()
{
	local name port taken=

	: > "$dir/ports"
	for name in $names; do
		port=$(free_port)
		taken="$taken $port"
		echo "FTP_$name=$port" >> "$dir/ports"
	done
	# shellcheck disable=SC1091 # written above
	. "$dir/ports"
	{
		cat <<-END
			ModulePath /usr/lib/proftpd
			LoadModule mod_tls.c
			ServerType standalone
			DefaultAddress 127.0.0.1
			SocketBindTight on
			UseIPv6 off
			PidFile $dir/proftpd.pid
			ScoreboardFile $dir/scoreboard
			SystemLog $dir/system.log
			TransferLog $dir/xfer.log
			# files that all servers of a machine share; of a table that one cuts another dies (SIGBUS)
			DelayEngine off
			ControlsEngine off
			WtmpLog off
			UseReverseDNS off
			MaxInstances 400
		END
		host PORT "$FTP_PORT"
		for name in ${names#PORT }; do
			port=FTP_$name
			echo "<VirtualHost 127.0.0.1>"
			host "$name" "${!port}"
			echo "</VirtualHost>"
		done
	} > "$dir/proftpd.conf"
}

enter()
{
	[ -f "$dir/ports" ] || fail "$dir holds no server: ftp-proftpd.sh up $dir"
	dir=$(cd "$dir" && pwd)
	# shellcheck disable=SC1091 # written by write_config
	. "$dir/ports"
}

server_pid()
{
	local pid

	[ -f "$dir/proftpd.pid" ] && read -r pid < "$dir/proftpd.pid" && grep -qa proftpd "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
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
	rm -f "$dir/proftpd.pid"
	setsid proftpd -n -c "$dir/proftpd.conf" > "$dir/out.log" 2>&1 < /dev/null 3>&- &
	until (exec 3<>"/dev/tcp/127.0.0.1/$FTP_LIST" && read -r -t 2 line <&3 && [ "${line%% *}" = 220 ]) 2>/dev/null; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ]; then
			tail -20 "$dir/out.log" "$dir/system.log" >&2
			fail "the server did not start: see $dir/system.log"
		fi
		sleep 0.1
	done
}

end()
{
	local pid tries=0

	pid=$(server_pid) || return 0
	# shellcheck disable=SC2046 # numbers
	kill -KILL "$pid" $(pgrep -P "$pid") 2>/dev/null
	while ! gone "$pid" && [ $tries -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	rm -f "$dir/proftpd.pid"
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
	cat "$dir/ports"
}

case $verb in
up)
	command -v proftpd > /dev/null || fail "no ProFTPD here: apt-get install proftpd-core"
	[ -f /usr/lib/proftpd/mod_tls.so ] || fail "no TLS for ProFTPD here: apt-get install proftpd-mod-crypto"
	[ "$(id -u)" = 0 ] || fail "this needs root, for an account of its own"
	mkdir -p "$dir" || exit 1
	dir=$(cd "$dir" && pwd)
	owner=
	[ "${1:-}" != --while ] || owner=${2:?--while needs a process}
	"${BASH_SOURCE%/*}/ftp-certificates.sh" "$dir/tls" || fail "no certificates"
	make_account
	write_config
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
