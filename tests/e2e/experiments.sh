#!/usr/bin/env bash
# Experiments on the real server with real traffic: promoted, rolled back, paused, over a crash.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/experiments_run.py"
