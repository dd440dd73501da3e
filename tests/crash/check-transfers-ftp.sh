#!/bin/sh
# A short round of random trouble for transfers over FTPS, and every fault point on their way; long ones: make crash-transfers SERVER=ftp ROUNDS=20
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/transfers.py" --build "${FERRULE_BUILDDIR:-build/dev}" \
	--server ftp --seconds 4 --documents 20 --settle 90
