#!/usr/bin/env bash
# What ends or stops an experiment, each kind once, side by side on one real server.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/experiments_verdicts_run.py"
