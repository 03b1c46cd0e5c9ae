#!/usr/bin/env bash
# Two nodes on one Redis and one node alone that gets everything: the same figures, also when one is
# killed in the midst of it. How fast, and what it takes: tests/bench/run.sh fleet lag
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/fleet_run.py"
