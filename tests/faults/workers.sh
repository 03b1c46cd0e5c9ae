#!/bin/sh
# Validation workers on one Redis, killed and stopped at random: each run is carried out and stored,
# once. usage: workers.sh [RUNS]  (default: 40; the campaign: 1000)
[ -x /usr/bin/redis-server ] || { echo "no redis-server: skipped"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/workers.py" "${1:-40}"
