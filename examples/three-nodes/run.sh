#!/usr/bin/env bash
# Three Paddock nodes on a Redis with two replicas and three Sentinels, nginx in front, all of it on
# this machine.
# usage: run.sh start [WHAT...]     everything, or what was killed
#        run.sh status              who lives, who is master, who is ready
#        run.sh watch [SECONDS]     be a client, and see what it sees (until Ctrl-C)
#        run.sh kill WHAT...        kill -9 of master, redis-N, sentinel-N, node-N or nginx
#        run.sh stop                everything; the data stay
# THREE_NODES_DATA: the one folder of all data (default: /tmp/paddock-three-nodes)
# THREE_NODES_PORT: the first of 24 ports (default: 7400, or 7424 and so on if one of them is taken):
#   nginx at PORT, node-N at PORT+N, redis-N at PORT+10+N, sentinel-N at PORT+20+N
# PADDOCK: the program (default: build/release/bin/paddock, which is built)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
data=${THREE_NODES_DATA:-${TMPDIR:-/tmp}/paddock-three-nodes}
verb=${1-}
[ $# = 0 ] || shift
parts="redis-1 redis-2 redis-3 sentinel-1 sentinel-2 sentinel-3 node-1 node-2 node-3 nginx"

# Answers in $port and $pid: a process for each question would take longer than what is asked.
port() { # <part>
    local n=${1##*-}
    case $1 in
        nginx) port=$base ;;
        node-*) port=$((base + n)) ;;
        redis-*) port=$((base + 10 + n)) ;;
        sentinel-*) port=$((base + 20 + n)) ;;
    esac
}

taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first block of ports of which none is taken; kept, since the parts remember each other by it.
choose_ports() {
    local part
    for base in $(seq "${THREE_NODES_PORT:-7400}" 24 32000); do
        for part in $parts; do
            port "$part"
            ! taken "$port" || continue 2
        done
        echo "$base" >"$data/port"
        return
    done
    echo "run.sh: no free ports" >&2
    return 1
}

# The process id of a part, if it runs and is ours: it works in its folder.
pid() { # <part>
    pid=
    [ ! -e "$data/$1/pid.run" ] || read -r pid <"$data/$1/pid.run"
    [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$data/$1" ] && return
    pid=
    return 1
}

# Each in its folder, with a log there and a process group of its own, so all of nginx is killed.
launch() { # <part> <command>...
    local part=$1
    shift
    (
        cd "$data/$part"
        setsid "$@" >>log 2>&1 </dev/null &
        echo $! >pid.run
    )
}

redis_conf() { # <part>: Redis and Sentinels write into it who the master is
    [ -e "$data/$1/conf" ] && return
    local first
    port redis-1
    first=$port
    port "$1"
    {
        printf 'bind 127.0.0.1\nport %s\ndir %s\n' "$port" "$data/$1"
        case $1 in
            redis-*)
                printf 'save ""\nappendonly yes\nappendfsync always\nmaxmemory-policy noeviction\n'
                echo 'repl-diskless-sync-delay 0' # else a replica waits for others before it follows
                [ "$1" = redis-1 ] || echo "replicaof 127.0.0.1 $first"
                ;;
            *)
                echo "sentinel monitor main 127.0.0.1 $first 2"
                echo 'sentinel down-after-milliseconds main 1000'
                echo 'sentinel failover-timeout main 6000'
                ;;
        esac
    } >"$data/$1/conf"
}

known() { # <part>
    [[ " $parts " == *" $1 "* ]] && return
    echo "run.sh: there is no '$1'; there are: $parts" >&2
    exit 2
}

start_one() { # <part>
    local part=$1 n url= lines=
    known "$part"
    ! pid "$part" || return 0
    mkdir -p "$data/$part"
    case $part in
        redis-*) redis_conf "$part"; launch "$part" redis-server conf ;;
        sentinel-*) redis_conf "$part"; launch "$part" redis-server conf --sentinel ;;
        node-*)
            for n in 1 2 3; do
                port "sentinel-$n"
                url+=",127.0.0.1:$port"
            done
            port "$part"
            MODEL_REGISTRY_REDIS_URL="redis+sentinel://${url#,}/main?wait=1" launch "$part" \
                "$paddock" serve --listen "127.0.0.1:$port" --data-dir data --threads 1
            ;;
        nginx)
            for n in 1 2 3; do
                port "node-$n"
                lines+="server 127.0.0.1:$port max_fails=1 fail_timeout=1s; "
            done
            sed "s|@DATA@|$data|; s|@PORT@|$base|; s|@NODES@|        $lines|" "$here/nginx.conf" \
                >"$data/nginx/conf"
            [ "$(id -u)" != 0 ] || echo "user root;" >>"$data/nginx/conf"
            launch nginx "$(PATH=$PATH:/usr/sbin command -v nginx)" -p "$data/nginx" -c conf -e log
            ;;
    esac
}

until_so() { # <what> <command>...: for a minute
    local what=$1 _
    shift
    for _ in $(seq 1200); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "run.sh: $what did not come about; the logs are in $data/*/log" >&2
    return 1
}

redis() { # <part> <word>...
    port "$1"
    shift
    timeout 2 redis-cli -p "$port" "$@" 2>/dev/null || true
}

master() {
    local at n
    for n in 1 2 3; do
        at=$(redis "sentinel-$n" sentinel get-master-addr-by-name main | tail -n 1)
        [ -z "$at" ] || { echo "redis-$((at - base - 10))"; return; }
    done
    return 1
}

follow() { grep -q 'state=online' <<<"$(redis "$(master)" info replication)"; }

acquainted() { # Sentinels can put another in the master's place when they know all
    local n
    for n in 1 2 3; do
        grep -q 'status=ok,.*slaves=2,sentinels=3' <<<"$(redis "sentinel-$n" info sentinel)" || return 1
    done
}

ready() { # <part>: does /readyz say 200?
    local line
    port "$1"
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    read -r -t 5 line <&3 || line=
    exec 3<&-
    [[ $line == "HTTP/1.1 200"* ]]
}

start_all() {
    local part
    for part in $parts; do
        case $part in
            node-1)
                until_so "a replica that follows" follow
                until_so "Sentinels that know each other" acquainted
                ;;
            nginx) for n in 1 2 3; do until_so "node-$n ready" ready "node-$n"; done ;;
        esac
        start_one "$part"
    done
    until_so "an answer through nginx" ready nginx
    echo "three nodes at http://127.0.0.1:$base, data and logs in $data"
}

status() {
    local part more
    for part in $parts; do
        more=
        if pid "$part"; then
            case $part in
                redis-*) read -r more <<<"$(redis "$part" role)" || true ;;
                node-*) if ready "$part"; then more=ready; else more="not ready"; fi ;;
            esac
        fi
        port "$part"
        printf '%-11s 127.0.0.1:%-6s %-12s %s\n' "$part" "$port" "${pid:-gone}" "$more"
    done
}

gone() { ! pid "$1"; }

end() { # <signal> <part>
    pid "$2" || return 0
    case $1 in
        KILL) kill -KILL -- "-$pid" ;; # its group
        *) kill -"$1" "$pid" ;;
    esac
    until_so "the end of $2" gone "$2"
}

case $verb in
    start)
        if [ -z "${PADDOCK-}" ]; then
            (cd "$here/../.." && . scripts/lib/packages.sh && need_packages three_nodes &&
                scripts/build.sh release paddock)
        fi
        paddock=$(realpath "${PADDOCK:-$here/../../build/release/bin/paddock}")
        mkdir -p "$data"
        ;;
    status | watch | kill | stop) ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
[ -d "$data" ] || { echo "run.sh: nothing was started in $data" >&2; exit 1; }
data=$(cd "$data" && pwd -P)
[ -e "$data/port" ] || choose_ports
base=$(cat "$data/port")

case $verb in
    start)
        if [ $# = 0 ]; then
            start_all
        else
            for part in "$@"; do start_one "$part"; done
        fi
        ;;
    status) status ;;
    watch) PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$here/watch.py" "$base" "$@" ;;
    kill)
        for part in "$@"; do
            [ "$part" != master ] || part=$(master)
            known "$part"
            ! gone "$part" || { echo "run.sh: $part does not run" >&2; exit 1; }
            end KILL "$part"
            echo "killed $part"
        done
        ;;
    stop)
        for part in nginx node-1 node-2 node-3 sentinel-1 sentinel-2 sentinel-3 \
            redis-3 redis-2 redis-1; do
            end TERM "$part"
        done
        echo "stopped; the data stay in $data"
        ;;
esac
