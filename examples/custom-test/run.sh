#!/usr/bin/env bash
# A stranger's test: built with one command against an installed Paddock, checked, run, loaded by a
# server. usage: run.sh [FOLDER]   (an empty folder to work in; default: a temporary one)
# PADDOCK_BUILD: the build that is installed (default: build/release)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${PADDOCK_BUILD:-$here/../../build/release}
work=${1:-$(mktemp -d)}
mkdir -p "$work"
chmod 755 "$work"
server=
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    [ $# -gt 0 ] || rm -rf "$work"
}
trap 'finish ${1+"$1"}' EXIT

say() {
    printf '\n$ %s\n' "$*"
    "$@"
}

umask 022
cmake --install "$build" --prefix "$work/paddock" >/dev/null
export PATH=$work/paddock/bin:$PATH PKG_CONFIG_PATH=$work/paddock/share/pkgconfig
cd "$work"
cp "$here/calibration.c" .

# shellcheck disable=SC2046
say cc -shared -fPIC $(pkg-config --cflags paddock) -o calibration.so calibration.c
say paddock plugin check ./calibration.so
say paddock plugin run ./calibration.so --config '{"limit_ratio":0.5}'
say paddock plugin run ./calibration.so --runtime '{"kind":"practice","behaviour":"nan"}' ||
    echo "(as it should)"

# A server takes it from a directory that only its owner may write.
mkdir -p plugins
install -m 644 calibration.so plugins/
printf '\n$ paddock serve --plugin-dir plugins ...\n'
env -u PADDOCK_BIN -u PADDOCK_SOURCE -u PADDOCK_BUILD \
    paddock serve --listen 127.0.0.1:0 --data-dir data --plugin-dir plugins 2>server.log &
server=$!
port=
for _ in $(seq 600); do
    port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' server.log)
    [ -z "$port" ] || break
    sleep 0.05
done
[ -n "$port" ] || { cat server.log; exit 1; }
python3 - "http://127.0.0.1:$port/api/models/enterprise" <<'PY'
import json
import sys
import urllib.request

def get(path):
    with urllib.request.urlopen(sys.argv[1] + path) as reply:
        return json.load(reply)

mine = [p for p in get("/plugins")["items"] if p["id"] == "org.example.calibration"]
for p in mine:
    print(f"{p['state']}  {p['id']} {p['version']}, {p['why'] or p['summary']}")
types = {t["type"]: t for t in get("/types")["test_types"]}
print("its configuration:", json.dumps(types["org.example.calibration"]["config_schema"]["properties"]))
PY
