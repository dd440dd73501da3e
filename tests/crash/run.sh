#!/bin/sh
# run.sh PROGRAM: what `make crash`, `make crash-transfers` and `make crash-points` take from their variables.
program=$1
set -- --build "$PWD"
[ -z "${QUEUE:-}" ] || set -- "$@" --queue "$QUEUE"
[ -z "${SEED:-}" ] || set -- "$@" --seed "$SEED"
[ "$program" != transfers.py ] || [ -z "${SERVER:-}" ] || set -- "$@" --server "$SERVER"
[ -z "${ROUNDS:-}" ] || set -- "$@" --rounds "$ROUNDS"
[ -z "${DOCUMENTS:-}" ] || set -- "$@" --documents "$DOCUMENTS"
[ -z "${DURATION:-}" ] || set -- "$@" --seconds "$DURATION"
[ -z "${SPLIT:-}" ] || set -- "$@" --split "$SPLIT"
[ -z "${FULL_DISK:-}" ] || set -- "$@" --full-disk
[ -z "${POINTS:-}" ] || set -- "$@" --only "$POINTS"
[ -z "${PASSING:-}" ] || set -- "$@" --passing "$PASSING"
[ -z "${EACH:-}" ] || set -- "$@" --each
[ -z "${KEEP:-}" ] || set -- "$@" --keep
exec python3 -B "$(dirname "$0")/$program" "$@"
