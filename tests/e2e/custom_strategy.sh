#!/usr/bin/env bash
# examples/custom-strategy, as its README says: a stranger's strategy against an installed Paddock.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PADDOCK_SOURCE/examples/custom-strategy/run.sh" "$work/example" >"$work/shown" || {
    cat "$work/shown"
    exit 1
}
expect() {
    grep -qF -- "$1" "$work/shown" || { echo "missing: $1"; cat "$work/shown"; exit 1; }
}
expect "good: 22 ok, 0 failed, 0 warnings, 3 skipped"
expect "loaded  org.example.careful 1.0.0, success, doubted while new"
expect "strategies: champion_challenger epsilon_greedy lowest_latency org.example.careful performance_score thompson weighted"
