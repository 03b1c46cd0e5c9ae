#!/usr/bin/env bash
# What an operator relies on: settings and where they come from, the log, the journal's chain.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/operations.py"
