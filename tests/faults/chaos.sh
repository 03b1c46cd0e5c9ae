#!/usr/bin/env bash
# Policies broken and repaired, strategies replaced and killed, models failing, SIGHUP, while
# selections go on: none fails, and nobody changes his model without a cause. `chaos.sh full` takes
# 60 s at half of the maximum rate.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PADDOCK_SOURCE/tests/e2e:$PADDOCK_SOURCE/tests/faults"
/usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/chaos_checker.py"
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/faults/chaos.py" "$@"
