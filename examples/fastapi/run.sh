#!/usr/bin/env bash
# Start the application on a free port, send real requests through it, show what Paddock has of them.
# usage: run.sh [WORKDIR]    (against the Paddock at $PADDOCK_URL)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PADDOCK_URL=${PADDOCK_URL:-http://127.0.0.1:8080}
work=${1:-${TMPDIR:-/tmp}/paddock-breast-cancer}
python=/usr/bin/python3 # Debian's, whatever else is in the path
export PYTHONDONTWRITEBYTECODE=1

"$here/../breast-cancer/run.sh" "$work" >/dev/null # train and register, if that is still to do
cd "$here"
log=$(mktemp)
WORKDIR=$work "$python" -m uvicorn app:app --host 127.0.0.1 --port 0 --no-access-log 2>"$log" &
app=$!
trap 'kill $app 2>/dev/null; wait $app 2>/dev/null; rm -f "$log"' EXIT
until url=$(grep -o 'http://127.0.0.1:[0-9]*' "$log"); do
    kill -0 $app 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.05
done
"$python" traffic.py "$url" "$work"
