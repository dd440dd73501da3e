#!/bin/sh
# A short round of random trouble for transfers, and every fault point on their way; long ones: make crash-transfers ROUNDS=20
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/transfers.py" --build "${FERRULE_BUILDDIR:-build/dev}" \
	--seconds 8 --documents 40 --settle 90
