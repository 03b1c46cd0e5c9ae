#!/usr/bin/env bash
# A route whose strategy learns: decisions, outcomes, shares that follow them, also over restarts.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/strategies_run.py"
