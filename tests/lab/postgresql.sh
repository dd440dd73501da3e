#!/bin/sh
# A PostgreSQL of its own for tests: private directory, socket and port; nothing of the machine's own servers is touched.
#
#   postgresql.sh up DIR [PID]   start (makes DIR); with PID it ends by itself when that process does
#   postgresql.sh env DIR        how to reach it, as shell assignments
#   postgresql.sh kill DIR       SIGKILL to all of its processes at once
#   postgresql.sh start DIR      again after kill or stop
#   postgresql.sh stop DIR       as an operator would (fast)
#   postgresql.sh sql DIR TEXT   runs statements as the owner of all
#   postgresql.sh down DIR       stop and remove DIR
# fsync stays on. Exit 77: the server's programs are not installed.
set -eu

verb=${1:?usage: postgresql.sh up|env|kill|start|stop|sql|down DIR}
dir=${2:?usage: postgresql.sh $verb DIR}

bin=
for candidate in /usr/lib/postgresql/*/bin; do
	[ -x "$candidate/initdb" ] && bin=$candidate
done
if [ -z "$bin" ]; then
	echo "PostgreSQL's server is not installed: apt-get install postgresql, or let ./bootstrap check do it" >&2
	exit 77
fi

# The server refuses to run as root.
as_server() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups env -C / HOME="$dir" "$@"
	else
		"$@"
	fi
}

free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

start() {
	# -l: the server keeps no descriptor of the test's output; its port may have been taken meanwhile
	as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null 2>&1 || {
		echo "PostgreSQL does not start:" >&2
		tail -5 "$dir/log" >&2
		return 1
	}
}

up() {
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown postgres:postgres "$dir"
	chmod 0700 "$dir"
	echo ferrule-lab >"$dir/password"
	[ "$(id -u)" != 0 ] || chown postgres:postgres "$dir/password"
	as_server "$bin/initdb" -D "$dir/data" -U ferrule --pwfile="$dir/password" -A scram-sha-256 -E UTF8 --locale=C -N >"$dir/initdb.log" 2>&1 || {
		cat "$dir/initdb.log" >&2
		exit 1
	}
	as_server tee -a "$dir/data/postgresql.conf" >/dev/null <<-END
		listen_addresses = '127.0.0.1'
		port = $(free_port)
		unix_socket_directories = ''
		shared_buffers = 16MB
		max_connections = 40
		fsync = on
		synchronous_commit = on
		autovacuum = off
		max_wal_size = 256MB
		jit = off
	END
	start
	PGPASSWORD=ferrule-lab "$bin/psql" -q -h 127.0.0.1 -p "$(port)" -U ferrule -d postgres -c 'CREATE DATABASE ferrule' >/dev/null
	[ -z "${1:-}" ] || guard "$1" >/dev/null 2>&1 </dev/null &
}

# Outlives a test that crashed, by a second.
guard() {
	while kill -0 "$1" 2>/dev/null && [ -d "$dir" ]; do sleep 1; done
	[ ! -d "$dir" ] || "$0" down "$dir"
}

port() {
	sed -n 's/^port = //p' "$dir/data/postgresql.conf" | tail -1
}

stop() {
	if [ -s "$dir/data/postmaster.pid" ]; then
		as_server "$bin/pg_ctl" -D "$dir/data" -m fast -w -t 30 stop >/dev/null 2>&1 || crash
	fi
}

crash() {
	pid=$(head -1 "$dir/data/postmaster.pid" 2>/dev/null) || return 0
	children=$(ps -o pid= --ppid "$pid" 2>/dev/null || true)
	# shellcheck disable=SC2086 # a list
	kill -KILL "$pid" $children 2>/dev/null || true
	while ps -o stat= -p "$pid" | grep -qv Z; do sleep 0.02; done
	rm -f "$dir/data/postmaster.pid"
}

case $verb in
up) up "${3:-}" ;;
env)
	echo "FERRULE_PG_HOST=127.0.0.1 FERRULE_PG_PORT=$(port) FERRULE_PG_USER=ferrule FERRULE_PG_PASSWORD=ferrule-lab FERRULE_PG_DATABASE=ferrule"
	;;
start) start ;;
stop) stop ;;
kill) crash ;;
sql) PGPASSWORD=ferrule-lab "$bin/psql" -qAt -h 127.0.0.1 -p "$(port)" -U ferrule -d ferrule -v ON_ERROR_STOP=1 -c "$3" ;;
down)
	stop
	rm -rf "$dir"
	;;
*)
	echo "postgresql.sh: $verb is not known" >&2
	exit 2
	;;
esac
