#!/bin/sh
# kill -9 in the middle of a night, again and again. usage: night.sh [KILLS]  (default: 2)
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/night.py" "${1:-2}"
