#!/usr/bin/env bash
# Models that run beside: what came of them stands beside those who served, moves nobody, and when
# nothing comes there is an alert.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/shadows_run.py"
