#!/usr/bin/env bash
# Three nodes on one Redis, asked all the time, while a node or Redis is killed, Redis hangs, is cut
# off, full, read-only, forgets its scripts: what was acknowledged is stored, once, reads and
# selections go on, and all is well afterwards by itself. Then Redis comes back with less than it
# had. `redis.sh full` takes 20 rounds of each; `redis.sh gone` takes Redis away for a minute and
# compares the latency of selections.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e:$PADDOCK_SOURCE/tests/faults"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/redis_run.py" "$@"
