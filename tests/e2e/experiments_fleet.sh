#!/usr/bin/env bash
# Experiments, strategies and outcomes on three nodes with one Redis, each call to any of them: what
# happens on one node happens here, and each record and outcome counts once, also when the node that
# decides is killed. How fast, and what it takes:
# FLEET_MEASURE=1 PADDOCK_SOURCE=. PADDOCK_BIN=build/release/bin/paddock tests/e2e/experiments_fleet.sh
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/experiments_fleet_run.py"
