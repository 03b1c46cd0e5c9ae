#!/usr/bin/env bash
# Which model served user X at time T, and why, after all has changed; and back in one call.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/three_in_the_morning_run.py"
