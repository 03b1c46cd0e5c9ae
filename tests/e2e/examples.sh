#!/usr/bin/env bash
# The examples against a server of their own, as a user runs them: real models, real traffic. Run
# twice, since a second run must use what the first made. Skipped (77) where their packages are not
# installed (scripts/run.sh installs them).
set -euo pipefail
/usr/bin/python3 -c 'import fastapi, sklearn, uvicorn, xgboost' 2>/dev/null || {
    echo "python3-fastapi, python3-sklearn, python3-uvicorn or python3-xgboost is missing"
    exit 77
}
dir=$(mktemp -d)
cd "$PADDOCK_SOURCE"
server=
finish() {
    examples/breast-cancer/run.sh stop "$dir/example" || true
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" || true
    fi
    rm -rf "$dir"
}
trap finish EXIT

# A free port of the kernel's choice; nobody else on this machine asks for it meanwhile.
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
export PADDOCK_URL=http://127.0.0.1:$port PYTHONDONTWRITEBYTECODE=1
"$PADDOCK_BIN" serve --listen "127.0.0.1:$port" --data-dir "$dir/data" \
    --dataset-dirs "$(cd "$dir" && pwd -P)" 2>"$dir/log" &
server=$!
for _ in $(seq 200); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.05
done

expect() { # <text> <file>: the file has the text
    grep -qF -- "$1" "$2" || { echo "missing: $1"; cat "$2"; exit 1; }
}

examples/breast-cancer/run.sh --keep "$dir/example" >"$dir/first"
expect "breast-cancer:1.0.0  stable" "$dir/first"
expect "breast-cancer:2.0.0  canary" "$dir/first"
expect "breast-cancer:1.0.0   1026       0" "$dir/first"
expect "breast-cancer:2.0.0   1026       0" "$dir/first"
grep -q "breast-cancer:2.0.0.*accuracy 0\.9[0-9]*, brier 0\.0" "$dir/first"

# The night has tested all three, and the worst version is what it is: its promotion is refused.
expect "breast-cancer:1.0.0: tested alone, passed" "$dir/first"
grep -Eq "breast-cancer:3.0.0  canary  failed +severity high +integration .*performance .*regression .*smoke .*unit " \
    "$dir/first"
expect "Regression report of breast-cancer:3.0.0: severity high" "$dir/first"
grep -Eq "high +accuracy +0\.9123 -> 0\.7719" "$dir/first"
expect "409 PROMOTION_BLOCKED" "$dir/first"
expect "fail    severity    the worst regression is high; at most medium is allowed" "$dir/first"
grep -Eq "fail +validation +validation run '.*' failed; the worst regression is of severity high" "$dir/first"

# The second run changes nothing: no entry of ours in the journal, no record is added. (The server
# itself may note a change of health meanwhile.)
journal() {
    /usr/bin/python3 -c 'import sys; sys.path.insert(0, "examples/breast-cancer")
from paddock import Paddock
entries = Paddock().get("/audit?limit=1000")["items"]
print(sum(e["actor"]["kind"] == "anonymous" for e in entries))'
}
before=$(journal)
examples/breast-cancer/run.sh --keep "$dir/example" >"$dir/second"
expect "breast-cancer:1.0.0   1026       0" "$dir/second"
expect "a night has tested all versions already" "$dir/second"
expect "409 PROMOTION_BLOCKED" "$dir/second"
[ "$before" -gt 5 ] && [ "$(journal)" = "$before" ] || { echo "the second run changed something"; exit 1; }

examples/fastapi/run.sh "$dir/example" >"$dir/third"
expect "171 rows answered" "$dir/third"
expect "'sent': 171, 'dropped': 0, 'refused': 0" "$dir/third"
expect "1197 inferences" "$dir/third"
(cd examples/fastapi && /usr/bin/python3 test_reporter.py)

examples/ab-test/run.sh "$dir/example" >"$dir/ab"
expect "ab-2.0.0: succeeded" "$dir/ab"
expect "ab-3.0.0: rolled_back" "$dir/ab"
expect "breast-cancer-ab:1.0.0  deprecated" "$dir/ab"
expect "breast-cancer-ab:2.0.0  stable" "$dir/ab"
expect "breast-cancer-ab:3.0.0  development, held: Rolled back: score:brier" "$dir/ab"

PADDOCK=$PADDOCK_BIN examples/rollout-policy/run.sh >"$dir/policy"
grep -A2 'paddock serve' "$dir/policy" | grep -q '201'
expect '{"targetingKey":"user-9"}                          false DEFAULT' "$dir/policy"
expect '{"targetingKey":"user-9"}                          true SPLIT' "$dir/policy"
expect '{"targetingKey":"user-4","plan":"pro"}             false DEFAULT' "$dir/policy"
[ "$(grep -cF '{"targetingKey":"user-4","plan":"pro"}             true TARGETING_MATCH' "$dir/policy")" = 3 ]
expect "change variant             1540   15.400 %" "$dir/policy"
expect 'last_error: "rollout/early-birds.lua:2: unfinished string near <eof>"' "$dir/policy"

command -v npm >/dev/null && npm view @openfeature/server-sdk version >/dev/null 2>&1 || {
    echo "examples/openfeature was not run: npm gets nothing here"
    exit 0
}
examples/openfeature/run.sh "$dir/npm" >"$dir/openfeature"
expect "105 of 400 users see learned (SPLIT)" "$dir/openfeature"
expect "0 who saw learned odds before do not any more" "$dir/openfeature"
expect "400 of 400 users see classic (DISABLED)" "$dir/openfeature"
