#!/usr/bin/env bash
# A stranger's test: built with one command against an installed Paddock, checked, run, loaded by a
# server. See ../own-plugin.sh for usage.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../own-plugin.sh"
cp "$here/calibration.c" .

# shellcheck disable=SC2046
say cc -shared -fPIC $(pkg-config --cflags paddock) -o calibration.so calibration.c
say paddock plugin check ./calibration.so
say paddock plugin run ./calibration.so --config '{"limit_ratio":0.5}'
say paddock plugin run ./calibration.so --runtime '{"kind":"practice","behaviour":"nan"}' ||
    echo "(as it should)"

serve calibration.so
python3 - "$url" <<'PY'
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
