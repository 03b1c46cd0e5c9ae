#!/usr/bin/env bash
# A start on a Redis: forms of its address, logins, and each kind of Redis that is refused.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/redis_start_run.py"
