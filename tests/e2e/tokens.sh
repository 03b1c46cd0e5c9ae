#!/usr/bin/env bash
# `paddock token` at a data directory and over HTTP, the first start that others can reach, and
# streams that end when their token is revoked.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/tokens_run.py"
