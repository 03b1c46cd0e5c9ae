#!/usr/bin/env bash
# A stranger's strategy: built with one command against an installed Paddock, checked, loaded by a
# server. See ../own-plugin.sh for usage.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../own-plugin.sh"
cp "$here/careful.c" .

# shellcheck disable=SC2046
say cc -shared -fPIC $(pkg-config --cflags paddock) -o careful.so careful.c
say paddock plugin check ./careful.so

serve careful.so
python3 - "$url" <<'PY'
import json
import sys
import urllib.request

def get(path):
    with urllib.request.urlopen(sys.argv[1] + path) as reply:
        return json.load(reply)

for p in get("/plugins")["items"]:
    if p["id"] == "org.example.careful":
        print(f"{p['state']}  {p['id']} {p['version']}, {p['why'] or p['summary']}")
print("strategies:", " ".join(get("/types")["strategies"]))
PY
