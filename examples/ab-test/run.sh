#!/usr/bin/env bash
# Two A/B tests against the Paddock at $PADDOCK_URL: the better version is promoted by itself, the
# worse one rolled back. Models and their server are those of examples/breast-cancer.
# usage: run.sh [WORKDIR]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PADDOCK_URL=${PADDOCK_URL:-http://127.0.0.1:8080} PYTHONDONTWRITEBYTECODE=1
work=${1:-${TMPDIR:-/tmp}/paddock-breast-cancer}
"$here/../breast-cancer/run.sh" serve "$work"
/usr/bin/python3 "$here/ab.py" "$work"
