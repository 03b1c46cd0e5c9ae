#!/usr/bin/env bash
# An application with OpenFeature's published SDK, while its flag grows and is killed.
# usage: run.sh [FOLDER]    (where npm installs the SDK; against the Paddock at $PADDOCK_URL)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PADDOCK_URL=${PADDOCK_URL:-http://127.0.0.1:8080}
api=$PADDOCK_URL/api/models/enterprise
work=${1:-${TMPDIR:-/tmp}/paddock-openfeature}
mkdir -p "$work"
cp "$here/package.json" "$work/"
npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock --prefix "$work" >"$work/npm.log" 2>&1 || {
    cat "$work/npm.log" >&2
    exit 1
}
seen=$(mktemp "$work/seen.XXXXXX")
rm "$seen" # the first round has nothing to compare with
trap 'rm -f "$seen"' EXIT

flag() { # <method> <path> <body>
    curl -sf -o /dev/null -X "$1" "$api$2" -H 'Content-Type: application/json' ${PADDOCK_TOKEN:+-H "Authorization: Bearer $PADDOCK_TOKEN"} -d "$3"
}
round() { # <what happened>
    echo "$1"
    NODE_PATH=$work/node_modules node "$here/app.cjs" "$seen"
}
share() { # <percent>: `learned` is for so many, the others keep what they have
    flag PATCH /flags/odds-model "{\"killed\":false,\"params\":{\"percent\":$1}}"
    round "$1 % take part:"
}

flag PUT /flags/odds-model '{"variants":{"classic":"classic","learned":"learned"},"default_variant":"classic",
    "policy":"percentage","params":{"percent":10,"weights":{"learned":100}}}'
round "10 % take part:"
share 25
share 50
flag PATCH /flags/odds-model '{"killed":true}'
round "killed:"
