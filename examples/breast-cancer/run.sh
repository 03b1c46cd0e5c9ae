#!/usr/bin/env bash
# The whole example against the Paddock at $PADDOCK_URL: train, serve, register, replay, test, show.
# The server must allow WORKDIR's dataset (--dataset-dirs).
# usage: run.sh [--keep] [WORKDIR]    --keep leaves the model server running
#        run.sh serve [WORKDIR]       only train and serve, and leave it running
#        run.sh stop [WORKDIR]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PADDOCK_URL=${PADDOCK_URL:-http://127.0.0.1:8080}
verb=run
case "${1-}" in
    --keep) verb=keep; shift ;;
    serve|stop) verb=$1; shift ;;
esac
work=${1:-${TMPDIR:-/tmp}/paddock-breast-cancer}
python=/usr/bin/python3 # Debian's, whatever else is in the path
export PYTHONDONTWRITEBYTECODE=1

# The process id of a model server that is really ours, or nothing.
serving() {
    local pid
    pid=$(cat "$work/serve.pid" 2>/dev/null) || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "serve.py $work" && echo "$pid"
}

stop() {
    local pid
    if pid=$(serving); then
        kill "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
}

if [ "$verb" = stop ]; then
    stop
    exit
fi
"$python" "$here/train.py" "$work"
work=$(cd "$work" && pwd -P)
[ "$verb" != run ] || trap stop EXIT
if ! serving >/dev/null; then
    "$python" "$here/serve.py" "$work" >"$work/serve.log" 2>&1 </dev/null &
    while ! serving >/dev/null; do
        kill -0 $! 2>/dev/null || { cat "$work/serve.log" >&2; exit 1; }
        sleep 0.05
    done
fi
[ "$verb" != serve ] || exit 0
"$python" "$here/register.py" "$work"
"$python" "$here/replay.py" "$work"
"$python" "$here/validate.py" "$work"
"$python" "$here/show.py"
echo
"$python" "$here/report.py"
