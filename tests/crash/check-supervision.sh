#!/bin/sh
# How a site starts, ends and changes.
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/supervision.py" --build "${FERRULE_BUILDDIR:-build/dev}"
