#!/usr/bin/env bash
# The scripts of tests/lua/attacks as policies of a server with one thread: whatever they do, it goes
# on serving, and no flag harms another.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/attacks_run.py"
