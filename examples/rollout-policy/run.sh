#!/usr/bin/env bash
# A policy of your own: tried without a server, served, changed while it serves, broken, repaired.
# usage: run.sh [FOLDER]
#   (an empty folder to work in; default: a temporary one)
# PADDOCK: the program (default: build/release/bin/paddock)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
paddock=${PADDOCK:-$here/../../build/release/bin/paddock}
work=${1:-$(mktemp -d)}
kept=${1-}
server=
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    [ -n "$kept" ] || rm -rf "$work"
}
trap finish EXIT
paddock=$(realpath "$paddock")
mkdir -p "$work/lua/rollout"
cd "$work"
policy=lua/rollout/early-birds.lua
cp "$here/early-birds.lua" "$policy"

say() { # shows the command, with the program under its name
    printf '\n$ %s\n' "${*/#$paddock/paddock}"
    "$@"
}
simulate() { # the shares alone: how long it took differs each time
    printf '\n$ paddock policy simulate %s\n' "$*"
    "$paddock" policy simulate "$@" --kind rollout --population 10000 | sed '/us a call/d'
}
ask() { # <context>: what the server says
    curl -s "$url/ofrep/v1/evaluate/flags/new-odds" -H 'Content-Type: application/json' -d "{\"context\":$1}"
}
show() { printf '%-50s %s\n' "$1" "$(ask "$1" | sed 's/.*"value":\([a-z]*\).*"reason":"\([A-Z_]*\)".*/\1 \2/')"; }
file() { # what the server knows of the file
    curl -s "$api/policies/rollout/early-birds"
}
until_file() { # <text>: files are looked at once a second
    for _ in $(seq 600); do
        ! file | grep -qF -- "$1" || return 0
        sleep 0.05
    done
    echo "the server does not see it: $(file)" >&2
    return 1
}

# Without a server: does it compile, what does it say, how many are in?
say "$paddock" policy check "$policy"
say "$paddock" policy try "$policy" --context '{"targetingKey":"user-4","team":"odds"}'
simulate "$policy"

# Served: a server takes files from directories of its own.
"$paddock" serve --listen 127.0.0.1:0 --data-dir data --policy-dir lua 2>server.log &
server=$!
port=
for _ in $(seq 600); do
    port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' server.log)
    [ -z "$port" ] || break
    sleep 0.05
done
url=http://127.0.0.1:$port api=http://127.0.0.1:$port/api/models/enterprise
printf '\n$ paddock serve --policy-dir lua ...\n'
curl -s -o /dev/null -w 'flag new-odds: %{http_code}\n' -X PUT "$api/flags/new-odds" -H 'Content-Type: application/json' \
    -d '{"variants":{"off":false,"on":true},"default_variant":"off","policy":"early-birds"}'
show '{"targetingKey":"user-9"}'
show '{"targetingKey":"user-4","team":"odds"}'
show '{"targetingKey":"user-4","plan":"pro"}'

# Changed: whoever pays is in as well. First how many that moves, then the file, then the answer.
sed 's/if ctx.team == "odds" then/if ctx.team == "odds" or ctx.plan == "pro" then/; s/default = 10/default = 25/' \
    "$policy" >next.lua
printf '\n$ diff early-birds.lua next.lua\n'
diff "$policy" next.lua || true
simulate next.lua --against "$policy"
cp next.lua "$policy"
until_file 'plan == \"pro\"'
printf '\n$ cp next.lua early-birds.lua\n'
show '{"targetingKey":"user-9"}'
show '{"targetingKey":"user-4","team":"odds"}'
show '{"targetingKey":"user-4","plan":"pro"}'

# Broken: the last good one serves on, and the server says what is wrong.
printf 'return {\n  summary = "half a polic' >"$policy"
until_file '"status":"stale"'
printf '\n$ (half of it is saved)\n'
file | sed 's/.*"last_error":\("[^"]*\(\\"[^"]*\)*"\).*/last_error: \1\n/'
show '{"targetingKey":"user-4","plan":"pro"}'

cp next.lua "$policy"
until_file '"status":"active"'
printf '\n$ (and repaired)\n'
show '{"targetingKey":"user-4","plan":"pro"}'
