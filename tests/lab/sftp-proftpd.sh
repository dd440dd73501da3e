#!/bin/bash
# ProFTPD's mod_sftp of its own for a test, an SFTP server that shares no code with OpenSSH: virtual partners with keys
# or a password, everything in one directory, a private port on 127.0.0.1, nothing of the machine touched. Needs root.
#
#   sftp-proftpd.sh up DIR [--while PID]
#                                makes DIR, starts the server, waits until it takes connections, prints `env`; with PID
#                                it goes `down` by itself when that process has ended
#   sftp-proftpd.sh env DIR      SFTP_HOST, SFTP_PORT, SFTP_KEYS (DIR/NAME, NAME.rsa, NAME.ecdsa), SFTP_KNOWN_HOSTS,
#                                SFTP_PASSWORD, SFTP_HOME (what partner NAME sees is $SFTP_HOME/NAME)
#   sftp-proftpd.sh stop|start DIR   ends the server with all its connections; starts it again
#   sftp-proftpd.sh rekey DIR    another host key, as after a partner's move
#   sftp-proftpd.sh only-rsa|only-ecdsa|only-ed25519|every DIR   it shows this kind of host key alone; rsa and ecdsa again
#   sftp-proftpd.sh down DIR     ends exactly what was started and removes DIR
# LAB_PARTNERS names the accounts, "acme brix" by default.
set -u
verb=${1:-}
dir=${2:-}
if [ -z "$verb" ] || [ -z "$dir" ]; then
	sed -n '2,16s/^# \{0,1\}//p' "$0"
	exit 2
fi
shift 2
partners=${LAB_PARTNERS:-acme brix}
password=lab-Secret-1

fail()
{
	echo "sftp-proftpd.sh: $*" >&2
	exit 1
}

free_port()
{
	local port

	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo $port
}

make_host_keys()
{
	local name

	mkdir -p "$dir/host"
	for name in rsa ecdsa; do
		ssh-keygen -q -t $name -m PEM -N '' -f "$dir/host/$name" -C host
	done
	ssh-keygen -q -t ed25519 -N '' -f "$dir/host/ed25519" -C host
}

make_accounts()
{
	local name number=61100 hash

	mkdir -p "$dir/keys" "$dir/auth" "$dir/home"
	(umask 077; : > "$dir/passwd"; : > "$dir/group")
	hash=$(printf '%s' "$password" | openssl passwd -6 -stdin)
	for name in $partners; do
		ssh-keygen -q -t ed25519 -N '' -f "$dir/keys/$name" -C "$name"
		ssh-keygen -q -t ecdsa -N '' -f "$dir/keys/$name.ecdsa" -C "$name"
		ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -f "$dir/keys/$name.rsa" -C "$name"
		for form in openssh locked sealed; do # the same in other forms
			cp "$dir/keys/$name.rsa" "$dir/keys/$name.rsa-$form"
		done
		ssh-keygen -q -p -P '' -N '' -f "$dir/keys/$name.rsa-openssh" > /dev/null
		ssh-keygen -q -p -m PEM -P '' -N 'open sesame' -f "$dir/keys/$name.rsa-locked" > /dev/null
		ssh-keygen -q -p -P '' -N 'open sesame' -f "$dir/keys/$name.rsa-sealed" > /dev/null
		ssh-keygen -q -t ed25519 -N 'open sesame' -f "$dir/keys/$name.locked" -C "$name"
		for key in "$dir/keys/$name.pub" "$dir/keys/$name.ecdsa.pub" "$dir/keys/$name.rsa.pub" "$dir/keys/$name.locked.pub"; do
			ssh-keygen -e -m RFC4716 -f "$key"
		done > "$dir/auth/$name"
		echo "$name:$hash:$number:$number::$dir/home/$name:/bin/false" >> "$dir/passwd"
		echo "$name:x:$number:" >> "$dir/group"
		mkdir -p "$dir/home/$name"/{inbox,outbox,archive}
		chown -R "$number:$number" "$dir/home/$name"
		number=$((number + 1))
	done
	chmod 755 "$dir" "$dir/home"
}

write_config()
{
	local name

	for name in rsa ecdsa; do
		echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$dir/host/$name.pub")"
	done > "$dir/known_hosts"
	cat > "$dir/proftpd.conf" <<-END
		ModulePath /usr/lib/proftpd
		LoadModule mod_sftp.c
		ServerName "lab sftp"
		ServerType standalone
		DefaultAddress 127.0.0.1
		SocketBindTight on
		UseIPv6 off
		Port $port
		PidFile $dir/proftpd.pid
		ScoreboardFile $dir/scoreboard
		SystemLog $dir/system.log
		TransferLog $dir/xfer.log
		# files that all servers of a machine share; of a table that one cuts another dies (SIGBUS)
		DelayEngine off
		ControlsEngine off
		WtmpLog off
		UseReverseDNS off
		User nobody
		Group nogroup
		Umask 027
		MaxInstances 40
		RequireValidShell off
		AuthOrder mod_auth_file.c
		AuthUserFile $dir/passwd
		AuthGroupFile $dir/group
		DefaultRoot ~
		AllowOverwrite on
		AllowStoreRestart on
		SFTPEngine on
		SFTPLog $dir/sftp.log
		SFTPHostKey $dir/host/rsa
		SFTPHostKey $dir/host/ecdsa
		#SFTPHostKey $dir/host/ed25519
		SFTPAuthMethods publickey password
		SFTPAuthorizedUserKeys file:$dir/auth/%u
	END
	printf 'port=%s\npartners="%s"\n' "$port" "$partners" > "$dir/ports"
}

enter()
{
	[ -f "$dir/ports" ] || fail "$dir holds no server: sftp-proftpd.sh up $dir"
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
	until ssh-keyscan -T 2 -p "$port" 127.0.0.1 2>/dev/null | grep -q "$port"; do
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
	printf 'SFTP_HOST=127.0.0.1\nSFTP_PORT=%s\nSFTP_KEYS=%s\nSFTP_KNOWN_HOSTS=%s\nSFTP_HOME=%s\nSFTP_PASSWORD=%s\n' "$port" \
		"$dir/keys" "$dir/known_hosts" "$dir/home" "$password"
}

case $verb in
up)
	command -v proftpd > /dev/null || fail "no ProFTPD here: apt-get install proftpd-core proftpd-mod-crypto"
	[ "$(id -u)" = 0 ] || fail "this needs root, for accounts of its own"
	mkdir -p "$dir" || exit 1
	dir=$(cd "$dir" && pwd)
	owner=
	[ "${1:-}" != --while ] || owner=${2:?--while needs a process}
	port=$(free_port)
	make_host_keys
	make_accounts
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
rekey) enter; end; rm -f "$dir"/host/*; make_host_keys; start ;;
only-*)
	enter
	end
	sed -i "s,^#*SFTPHostKey,#SFTPHostKey,; s,^#SFTPHostKey \(.*/${verb#only-}\)$,SFTPHostKey \1," "$dir/proftpd.conf"
	start
	;;
every) enter; end; sed -i 's,^#*SFTPHostKey \(.*/\(rsa\|ecdsa\)\)$,SFTPHostKey \1,; s,^SFTPHostKey \(.*/ed25519\)$,#SFTPHostKey \1,' "$dir/proftpd.conf"; start ;;
down) [ -f "$dir/ports" ] || exit 0; enter; down ;;
*) fail "unknown verb $verb: up, env, start, stop, rekey, only-KIND, every, down" ;;
esac
