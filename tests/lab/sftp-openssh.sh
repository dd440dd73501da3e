#!/bin/bash
# An OpenSSH server of its own for a test: chrooted partners with keys, everything in one directory, a private port on
# 127.0.0.1, nothing of the machine touched, no systemd. The partners' accounts exist in the server's own mount
# namespace only, which needs root.
#
#   sftp-openssh.sh up DIR [--while PID]
#                                makes DIR, starts the server, waits until it takes connections, prints `env`; with PID
#                                it goes `down` by itself when that process has ended
#   sftp-openssh.sh env DIR      SFTP_HOST, SFTP_PORT, SFTP_KEYS (DIR/NAME, NAME.rsa, NAME.ecdsa), SFTP_KNOWN_HOSTS,
#                                SFTP_HOME (what partner NAME sees is $SFTP_HOME/NAME: inbox, outbox, archive)
#   sftp-openssh.sh stop|start DIR   ends the server with all its connections; starts it again
#   sftp-openssh.sh rekey DIR    another host key, as after a partner's move
#   sftp-openssh.sh only-rsa|only-ecdsa|only-ed25519|every DIR   it shows this kind of host key alone; every kind again
#   sftp-openssh.sh down DIR     ends exactly what was started and removes DIR
# LAB_PARTNERS names the accounts, "acme brix" by default. LAB_LIAR is an SFTP server of our own that answers instead of
# OpenSSH's (tests/lab/sftp_liar.c), without a chroot; what it is told to do stands in DIR/lies/script.
set -u
verb=${1:-}
dir=${2:-}
if [ -z "$verb" ] || [ -z "$dir" ]; then
	sed -n '2,19s/^# \{0,1\}//p' "$0"
	exit 2
fi
shift 2
partners=${LAB_PARTNERS:-acme brix}

fail()
{
	echo "sftp-openssh.sh: $*" >&2
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

make_keys()
{
	local name form

	mkdir -p "$dir/keys" "$dir/host"
	for name in ed25519 ecdsa rsa; do
		ssh-keygen -q -t $name -N '' -f "$dir/host/$name" -C host
	done
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
	done
	chmod 700 "$dir/keys"
}

make_accounts()
{
	local name number=61000 folder

	mkdir -p "$dir/root/chroot" "$dir/root/auth" "$dir/root/etc"
	chmod 755 "$dir" "$dir/root" "$dir/root/chroot" "$dir/root/auth"
	cp /etc/passwd /etc/group "$dir/root/etc/"
	for name in $partners; do
		cat "$dir/keys/$name.pub" "$dir/keys/$name.ecdsa.pub" "$dir/keys/$name.rsa.pub" "$dir/keys/$name.locked.pub" \
			> "$dir/root/auth/$name"
		if [ -n "${LAB_LIAR:-}" ]; then
			echo "$name:*:$number:$number::$dir/root/chroot/$name:/bin/sh"
		else
			echo "$name:*:$number:$number::/:/usr/sbin/nologin"
		fi >> "$dir/root/etc/passwd"
		echo "$name:x:$number:" >> "$dir/root/etc/group"
		mkdir -p "$dir/root/chroot/$name"
		chmod 755 "$dir/root/chroot/$name"
		for folder in inbox outbox archive; do
			mkdir -p "$dir/root/chroot/$name/$folder"
			chown "$number:$number" "$dir/root/chroot/$name/$folder"
		done
		number=$((number + 1))
	done
}

write_config()
{
	local name

	for name in ed25519 ecdsa rsa; do
		echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$dir/host/$name.pub")"
	done > "$dir/known_hosts"
	cat > "$dir/sshd_config" <<-END
		Port $port
		ListenAddress 127.0.0.1
		AddressFamily inet
		HostKey $dir/host/ed25519
		HostKey $dir/host/ecdsa
		HostKey $dir/host/rsa
		PidFile none
		UsePAM no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin no
		AuthorizedKeysFile /srv/auth/%u
		AllowUsers $partners
		AllowTcpForwarding yes
		AllowAgentForwarding no
		X11Forwarding no
		PermitTTY no
		MaxStartups 50:30:100
		MaxSessions 20
		LoginGraceTime 20
		LogLevel VERBOSE
	END
	if [ -n "${LAB_LIAR:-}" ]; then
		cp "$LAB_LIAR" "$dir/liar" && mkdir "$dir/lies" && chmod 777 "$dir/lies"
		echo "Subsystem sftp $dir/liar $dir/lies"
	else
		printf '%s\n' 'ChrootDirectory /srv/chroot/%u' 'Subsystem sftp internal-sftp' 'ForceCommand internal-sftp -u 0027'
	fi >> "$dir/sshd_config"
	printf 'port=%s\npartners="%s"\n' "$port" "$partners" > "$dir/ports"
}

enter()
{
	[ -f "$dir/ports" ] || fail "$dir holds no server: sftp-openssh.sh up $dir"
	dir=$(cd "$dir" && pwd)
	# shellcheck disable=SC1091 # written by write_config
	. "$dir/ports"
}

server_pid()
{
	local pid

	[ -f "$dir/sshd.pid" ] && read -r pid < "$dir/sshd.pid" && grep -qa sshd "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

gone()
{
	local state

	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ] || [ "$state" = X ]
}

# The namespace's first process becomes the server; its group is its own, so that connections end with it.
start()
{
	local tries=0 pid

	server_pid > /dev/null && return
	mkdir -p /run/sshd
	setsid unshare --mount --propagation private /bin/sh -c "
		mount --bind '$dir/root' /srv && mount --bind '$dir/root/etc/passwd' /etc/passwd &&
		mount --bind '$dir/root/etc/group' /etc/group &&
		exec /usr/sbin/sshd -D -e -f '$dir/sshd_config'" >> "$dir/sshd.log" 2>&1 < /dev/null 3>&- &
	pid=$!
	echo $pid > "$dir/sshd.pid"
	until ssh-keyscan -T 2 -p "$port" 127.0.0.1 2>/dev/null | grep -q "$port"; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ] || gone $pid; then
			tail -20 "$dir/sshd.log" >&2
			fail "the server did not start: see $dir/sshd.log"
		fi
		sleep 0.1
	done
}

# Children of a listening sshd are in sessions of their own: they are found by their parent.
end()
{
	local pid child tries=0

	pid=$(server_pid) || return 0
	for child in $(pgrep -P "$pid"); do
		kill -KILL $(pgrep -P "$child") "$child" 2>/dev/null
	done
	kill -KILL "$pid"
	while ! gone "$pid" && [ $tries -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	rm -f "$dir/sshd.pid"
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
	printf 'SFTP_HOST=127.0.0.1\nSFTP_PORT=%s\nSFTP_KEYS=%s\nSFTP_KNOWN_HOSTS=%s\nSFTP_HOME=%s\n' "$port" "$dir/keys" \
		"$dir/known_hosts" "$dir/root/chroot"
}

case $verb in
up)
	[ -x /usr/sbin/sshd ] || fail "no OpenSSH server here: apt-get install openssh-server"
	[ "$(id -u)" = 0 ] || fail "this needs root, for accounts of its own"
	mkdir -p "$dir" || exit 1
	dir=$(cd "$dir" && pwd)
	owner=
	[ "${1:-}" != --while ] || owner=${2:?--while needs a process}
	port=$(free_port)
	make_keys
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
rekey) enter; end; rm -f "$dir"/host/*; for name in ed25519 ecdsa rsa; do ssh-keygen -q -t $name -N '' -f "$dir/host/$name"; done; start ;;
only-*) enter; end; sed -i "s,^#*HostKey,#HostKey,; s,^#HostKey \(.*/${verb#only-}\)$,HostKey \1," "$dir/sshd_config"; start ;;
every) enter; end; sed -i 's,^#HostKey,HostKey,' "$dir/sshd_config"; start ;;
down) [ -f "$dir/ports" ] || exit 0; enter; down ;;
*) fail "unknown verb $verb: up, env, start, stop, rekey, only-KIND, every, down" ;;
esac
