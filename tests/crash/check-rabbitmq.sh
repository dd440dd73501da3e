#!/bin/sh
# A short round of random trouble with RabbitMQ and PostgreSQL; long ones: make crash QUEUE=rabbitmq ROUNDS=10
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/crash.py" --build "${FERRULE_BUILDDIR:-build/dev}" --queue rabbitmq \
	--seconds 12 --documents 80 --split 100 --settle 90
