#!/usr/bin/env bash
# Whatever the walk over all operations makes is the same after it moved to Redis and back.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
need_packages e2e || true
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/moving_all_run.py"
