#!/bin/bash
# A RabbitMQ of its own for a test: everything in one directory, private ports on 127.0.0.1, its own epmd and cookie,
# nothing of the machine touched, no systemd. Runs as any user, root included.
#
#   rabbitmq.sh up DIR [--tls] [--while PID]
#                                makes DIR, starts a broker, waits until it takes connections, prints `env`; with PID
#                                it goes `down` by itself when that process has ended
#   rabbitmq.sh env DIR          AMQP_HOST, AMQP_PORT, AMQP_USER, AMQP_PASSWORD and, with TLS, AMQP_TLS_PORT, AMQP_CA, AMQP_CERT, AMQP_KEY
#   rabbitmq.sh stop DIR         ends the broker in good order; `start DIR` starts it again with what it kept
#   rabbitmq.sh kill DIR         SIGKILL; `start DIR` as above
#   rabbitmq.sh restart DIR      stop and start
#   rabbitmq.sh pause|resume DIR SIGSTOP and SIGCONT: a broker that hangs
#   rabbitmq.sh ctl DIR ARGS…    rabbitmqctl
#   rabbitmq.sh down DIR         ends exactly what was started and removes DIR
set -u
verb=${1:-}
dir=${2:-}
if [ -z "$verb" ] || [ -z "$dir" ]; then
	sed -n '2,16s/^# \{0,1\}//p' "$0"
	exit 2
fi
shift 2

fail()
{
	echo "rabbitmq.sh: $*" >&2
	exit 1
}

find_sbin()
{
	local at

	for at in /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin; do
		[ -x "$at/rabbitmq-server" ] && sbin=$at
	done
	[ -n "${sbin:-}" ] || fail "no RabbitMQ here: apt-get install rabbitmq-server"
}

listening()
{
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Does our broker listen there, and not that of another test that drew the same port?
ours() # PORT
{
	local pid inode

	pid=$(broker_pid) || return 1
	inode=$(awk -v end="$(printf ':%04X' "$1")" '$4 == "0A" && index($2, end) { print $10; exit }' /proc/net/tcp)
	[ -n "$inode" ] && find "/proc/$pid/fd" -lname "socket:\\[$inode\\]" 2>/dev/null | grep -q .
}

# Below the ephemeral range, so that no outgoing connection takes it meanwhile.
free_port()
{
	local port

	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		listening $port || break
	done
	echo $port
}

make_certificates()
{
	local tls=$dir/tls

	mkdir -p "$tls"
	(
		cd "$tls" || exit 1
		openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=lab authority" -keyout ca.key -out ca.pem
		for name in server client; do
			openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr
			printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > $name.ext
			openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile $name.ext -out $name.pem
		done
	) > "$dir/openssl.log" 2>&1 || fail "no certificates: see $dir/openssl.log"
}

write_config()
{
	{
		echo "listeners.tcp.default = 127.0.0.1:$port"
		echo "disk_free_limit.absolute = 1MB"
		echo "log.file.level = warning"
		echo "loopback_users = none"
		if [ -n "$tls_port" ]; then
			echo "listeners.ssl.default = 127.0.0.1:$tls_port"
			echo "ssl_options.cacertfile = $dir/tls/ca.pem"
			echo "ssl_options.certfile = $dir/tls/server.pem"
			echo "ssl_options.keyfile = $dir/tls/server.key"
			echo "ssl_options.verify = verify_peer"
			echo "ssl_options.fail_if_no_peer_cert = false"
		fi
	} > "$dir/rabbitmq.conf"
	echo '[].' > "$dir/enabled_plugins"
	: > "$dir/rabbitmq-env.conf"
	printf 'port=%s\ntls_port=%s\ndist_port=%s\nepmd_port=%s\n' "$port" "$tls_port" "$dist_port" "$epmd_port" > "$dir/ports"
}

# What every script of the server needs to stay inside the directory.
enter()
{
	[ -f "$dir/ports" ] || fail "$dir holds no broker: rabbitmq.sh up $dir"
	dir=$(cd "$dir" && pwd)
	# shellcheck disable=SC1091 # written by write_config
	. "$dir/ports"
	find_sbin
	export HOME=$dir ERL_EPMD_PORT=$epmd_port ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP_SECONDS=0 LC_ALL=C.UTF-8
	export RABBITMQ_NODENAME=ferrule$port@localhost RABBITMQ_DIST_PORT=$dist_port RABBITMQ_PID_FILE=$dir/broker.pid
	export RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq-env.conf RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
	export RABBITMQ_MNESIA_BASE=$dir/data RABBITMQ_LOG_BASE=$dir/log RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins
	export RABBITMQ_PLUGINS_EXPAND_DIR=$dir/plugins RABBITMQ_GENERATED_CONFIG_DIR=$dir/generated
	# Two schedulers that sleep instead of spinning: a test shares its machine.
	export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +SDio 4 +sbwt none +sbwtdcpu none +sbwtdio none"
	unset NOTIFY_SOCKET RABBITMQ_BASE RABBITMQ_HOME
}

broker_pid()
{
	local pid

	[ -f "$dir/broker.pid" ] || return 1
	read -r pid < "$dir/broker.pid" || [ -n "$pid" ] || return 1
	# A pid may have been given to somebody else meanwhile.
	grep -qaz "^RABBITMQ_NODENAME=$RABBITMQ_NODENAME$" "/proc/$pid/environ" 2>/dev/null || return 1
	echo "$pid"
}

# Its memory goes first and its sockets a moment later, so that "no longer ours" is not yet "gone".
gone()
{
	local state

	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ] || [ "$state" = X ]
}

start_epmd()
{
	local pid

	if [ -f "$dir/epmd.pid" ] && read -r pid < "$dir/epmd.pid" && grep -qa epmd "/proc/$pid/cmdline" 2>/dev/null; then
		return
	fi
	setsid epmd -port "$epmd_port" -address 127.0.0.1 > /dev/null 2>&1 < /dev/null 3>&- &
	echo $! > "$dir/epmd.pid"
}

start()
{
	local tries=0

	broker_pid > /dev/null && return
	rm -f "$dir/broker.pid"
	start_epmd
	setsid "$sbin/rabbitmq-server" > "$dir/server.log" 2>&1 < /dev/null 3>&- &
	echo $! > "$dir/server.pid"
	until ours "$port" && { [ -z "$tls_port" ] || ours "$tls_port"; }; do
		tries=$((tries + 1))
		if [ $tries -gt 1200 ] || ! [ -d "/proc/$(cat "$dir/server.pid")" ]; then
			tail -20 "$dir/server.log" >&2
			fail "the broker did not start: see $dir/server.log and $dir/log"
		fi
		sleep 0.1
	done
}

end() # SIGNAL
{
	local pid tries=0

	pid=$(broker_pid) || return 0
	kill "-$1" "$pid"
	while ! gone "$pid"; do
		tries=$((tries + 1))
		[ $tries -gt 600 ] && kill -KILL "$pid"
		[ $tries -gt 700 ] && fail "process $pid does not end"
		sleep 0.05
	done
	rm -f "$dir/broker.pid"
}

signal()
{
	local pid

	pid=$(broker_pid) || fail "no broker runs in $dir"
	kill "-$1" "$pid"
}

end_epmd()
{
	local pid

	if [ -f "$dir/epmd.pid" ] && read -r pid < "$dir/epmd.pid" && grep -qa epmd "/proc/$pid/cmdline" 2>/dev/null; then
		kill -KILL "$pid"
	fi
	rm -f "$dir/epmd.pid"
}

down()
{
	local pid

	pid=$(broker_pid) && kill -CONT "$pid"
	end KILL
	end_epmd
	rm -rf "$dir"
}

# On ports of its own; somebody may take one before the broker does, so it is tried again on others.
start_first() # TLS
{
	local tries

	for tries in 1 2 3; do
		port=$(free_port) dist_port=$(free_port) epmd_port=$(free_port) tls_port=''
		[ -z "$1" ] || tls_port=$(free_port)
		write_config
		enter
		(start) && return
		grep -qE 'eaddrinuse|in use' "$dir/server.log" || exit 1
		end_epmd
		echo "rabbitmq.sh: a port was taken meanwhile, try $tries of 3" >&2
	done
	exit 1
}

# A test that is killed, its process group with it, leaves nothing behind.
guard() # PID
{
	while ! gone "$1" && [ -f "$dir/ports" ]; do
		sleep 1
	done
	[ ! -f "$dir/ports" ] || down
}

print_env()
{
	printf 'AMQP_HOST=127.0.0.1\nAMQP_PORT=%s\nAMQP_USER=guest\nAMQP_PASSWORD=guest\n' "$port"
	[ -z "$tls_port" ] || printf 'AMQP_TLS_PORT=%s\nAMQP_CA=%s\nAMQP_CERT=%s\nAMQP_KEY=%s\n' "$tls_port" "$dir/tls/ca.pem" \
		"$dir/tls/client.pem" "$dir/tls/client.key"
}

case $verb in
up)
	find_sbin
	mkdir -p "$dir" || exit 1
	dir=$(cd "$dir" && pwd)
	tls='' owner=''
	while [ $# -gt 0 ]; do
		case $1 in
		--tls) tls=yes; make_certificates ;;
		--while) owner=${2:?--while needs a process}; shift ;;
		*) fail "unknown option $1" ;;
		esac
		shift
	done
	start_first "$tls"
	[ -z "$owner" ] || setsid "$0" guard "$dir" "$owner" > /dev/null 2>&1 < /dev/null 3>&- &
	print_env
	;;
env) enter; print_env ;;
guard) enter; guard "${1:?guard needs a process}" ;;
start) enter; start ;;
stop) enter; end TERM ;;
kill) enter; end KILL ;;
restart) enter; end TERM; start ;;
pause) enter; signal STOP ;;
resume) enter; signal CONT ;;
ctl) enter; exec "$sbin/rabbitmqctl" --quiet "$@" ;;
down) [ -f "$dir/ports" ] || exit 0; enter; down ;;
*) fail "unknown verb $verb: up, env, start, stop, kill, restart, pause, resume, ctl, down" ;;
esac
