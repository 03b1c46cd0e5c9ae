#!/usr/bin/env bash
# Build Paddock, start it, load the breast cancer example, show it, and leave the server running.
#
# usage: scripts/run.sh          start (or reuse what runs already) and show
#        scripts/run.sh stop     stop the server and the example's model server
#
# PADDOCK_LISTEN    where to listen (default: 127.0.0.1:8080, or the next free port)
# PADDOCK_DATA_DIR  where the data live (default: build/run/data)
# Process id, log and the example's files are in build/run. As root on Debian 12 it installs what is
# missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/packages.sh
run=$(pwd -P)/build/run
binary=$PWD/build/release/bin/paddock
data=${PADDOCK_DATA_DIR:-$run/data}
log=$run/paddock.log
example=$run/breast-cancer

# The process id of the server this script started, if it still runs.
running() {
    local pid
    pid=$(cat "$run/paddock.pid" 2>/dev/null) || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "^$binary serve " && echo "$pid"
}

# Does the server at $1 (host:port) say that it is ready?
ready() {
    local line
    { exec 3<>"/dev/tcp/${1%:*}/${1##*:}"; } 2>/dev/null || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" >&3
    read -r -t 5 line <&3 || line=
    exec 3<&-
    [[ $line == "HTTP/1.1 200"* ]]
}

# Where to listen: as told, or the first free port from 8080 on.
choose_address() {
    local port
    if [ -n "${PADDOCK_LISTEN-}" ]; then
        echo "$PADDOCK_LISTEN"
        return
    fi
    for port in $(seq 8080 8179); do
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "127.0.0.1:$port"
            return
        fi
    done
    echo "run.sh: no free port from 8080 to 8179; set PADDOCK_LISTEN" >&2
    return 1
}

start() {
    local address=$1 client=$2 pid
    mkdir -p "$run" "$(dirname "$data")"
    setsid "$binary" serve --listen "$address" --data-dir "$data" --dataset-dirs "$example" >>"$log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$run/paddock.pid"
    echo "$client" >"$run/paddock.address"
    until ready "$client"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$run/paddock.pid"
            echo "run.sh: the server did not start; the end of $log:" >&2
            tail -n 20 "$log" >&2
            return 1
        fi
        sleep 0.05
    done
}

stop() {
    local pid
    [ ! -d "$example" ] || examples/breast-cancer/run.sh stop "$example"
    if ! pid=$(running); then
        echo "Paddock does not run."
        return
    fi
    kill -TERM "$pid"
    for _ in $(seq 300); do
        if ! kill -0 "$pid" 2>/dev/null; then
            rm -f "$run/paddock.pid" "$run/paddock.address"
            echo "Paddock is stopped; its data stay in $data."
            return
        fi
        sleep 0.1
    done
    echo "run.sh: process $pid does not end; see $log" >&2
    return 1
}

case ${1-} in
    stop) stop; exit ;;
    '') ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

need_packages examples
scripts/build.sh release paddock
if pid=$(running); then
    address=$(cat "$run/paddock.address")
    echo "Paddock runs already."
    [[ $(readlink "/proc/$pid/exe") != *"(deleted)" ]] ||
        echo "Its program has been rebuilt since: scripts/run.sh stop, then start again, to use it."
else
    listen=$(choose_address)
    address=$listen
    case $listen in 0.0.0.0:* | '*:'* | '[::]:'*) address=127.0.0.1:${listen##*:} ;; esac
    start "$listen" "$address"
    pid=$(running)
fi
echo
PADDOCK_URL=http://$address examples/breast-cancer/run.sh --keep "$example"
cat <<END

Paddock is at http://$address (process $pid), its log in $log.
The example's model server is at $(cat "$example/serve.url") (process $(cat "$example/serve.pid")).
Stop both: scripts/run.sh stop
END
