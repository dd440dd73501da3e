#!/bin/sh
# Transfers over RabbitMQ, killed between an encrypted file and its sidecar; long rounds: make crash-transfers QUEUE=rabbitmq
command -v python3 >/dev/null || {
	echo "1..0 # SKIP python3 is not installed"
	exit 0
}
exec python3 -B "$(dirname "$0")/transfers.py" --build "${FERRULE_BUILDDIR:-build/dev}" --queue rabbitmq --between --settle 90
