#!/usr/bin/env bash
# examples/three-nodes with a client that watches: the master is killed, then a node; both come back.
# No selection fails, and what was acknowledged is there. Skipped (77) where its packages are not
# installed.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
need_packages three_nodes || true
for program in redis-server redis-cli nginx; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "$program is missing"; exit 77; }
done
dir=$(mktemp -d)
# Below the ports that the kernel gives to others; each run its own.
export PADDOCK=$PADDOCK_BIN THREE_NODES_DATA=$dir/data THREE_NODES_PORT=$((10000 + RANDOM % 800 * 24))
run=$PADDOCK_SOURCE/examples/three-nodes/run.sh
watcher=
finish() {
    status=$?
    [ -z "$watcher" ] || { kill "$watcher" && wait "$watcher"; } 2>/dev/null || true
    "$run" stop || status=1
    [ $status = 0 ] || { cat "$dir/seen" || true; tail -n 5 "$dir"/data/*/log || true; } 2>/dev/null
    rm -rf "$dir"
    exit $status
}
trap finish EXIT

fail() { echo "$*"; exit 1; }
shown() { # <pattern>: by the status
    grep -Eq -- "$1" <<<"$("$run" status)"
}
acknowledged() { # changes, until now: the last column is the journal
    tail -n 1 "$dir/seen" | grep -Eo '[0-9]+$' || echo 0
}
until_changes() { # <what>: the client's changes go on
    local since=$(($(acknowledged) + 3))
    for _ in $(seq 1200); do
        [ "$(acknowledged)" -lt "$since" ] || return 0
        sleep 0.05
    done
    fail "no changes any more after $1"
}

refused() { # <pattern> <words>...
    local told
    ! told=$("$run" "${@:2}" 2>&1) || fail "run.sh ${*:2} is not refused"
    grep -q -- "$1" <<<"$told" || fail "run.sh ${*:2}: $told"
}

refused "nothing was started in $dir/data" stop
"$run" start
refused "there is no 'node-9'" kill node-9
refused "there is no 'node-9'" start node-9
"$run" watch >"$dir/seen" &
watcher=$!
until_changes "the start"
"$run" kill master
for _ in $(seq 600); do # until another is the master
    ! shown 'redis-[23] .* master' || break
    sleep 0.1
done
shown 'redis-1 .* gone' || fail "it is not the master that was killed"
until_changes "the master's end"
"$run" kill node-2
refused "node-2 does not run" kill node-2
until_changes "a node's end"
"$run" start redis-1 node-2
until_changes "the return of both"
kill "$watcher"
wait "$watcher" || fail "something acknowledged is not there"
watcher=
grep -Eq 'selections: [1-9][0-9]* done, 0 failed' "$dir/seen" || fail "selections failed"
