#!/usr/bin/env bash
# Two nodes on a Redis Cluster of three masters, each with a replica: the slot of the control plane
# and those of series go from master to master, a master is killed, one hangs. The nodes go on, and
# what was acknowledged is stored, once. Without arguments slots move, once each; `cluster.sh full`
# takes 20 rounds of each fault; names of faults take these only, `rounds=N` so many.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e:$PADDOCK_SOURCE/tests/faults"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/cluster_run.py" "$@"
