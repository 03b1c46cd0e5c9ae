#!/usr/bin/env bash
# One client with thousands of connections, another with 100 MB/s of junk, others that never finish a
# TLS handshake: somebody else must be served as if nothing were. `flood.sh full` is longer.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/flood.py" "$@"
