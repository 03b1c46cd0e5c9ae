#!/usr/bin/env bash
# Three nodes on one Redis: promotions that collide, increments under If-Match, a node killed.
# In full: NODES_ROUNDS=1000 NODES_SECONDS=60 scripts/test.sh -R e2e/nodes
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/nodes_run.py"
