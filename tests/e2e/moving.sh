#!/usr/bin/env bash
# `paddock export`, `import` and `backup`: from the embedded store to Redis and back, files that are
# cut short or damaged, imports that are killed, backups of a server that is written to.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/moving_run.py"
