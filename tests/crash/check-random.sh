#!/bin/sh
# A short round of random trouble; long ones: make crash ROUNDS=20
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/crash.py" --build "${FERRULE_BUILDDIR:-build/dev}" \
	--seconds 10 --documents 150 --split 300 --settle 90
