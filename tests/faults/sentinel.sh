#!/usr/bin/env bash
# Two nodes on a Redis that has two replicas and three Sentinels: the master is killed, deposed by a
# command, hangs; the replicas are killed. The nodes go on with the new one, and what was acknowledged is stored, once.
# `sentinel.sh full` takes 20 rounds of each.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e:$PADDOCK_SOURCE/tests/faults"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/sentinel_run.py" "$@"
