#!/usr/bin/env bash
# examples/custom-test, as its README says: a stranger's test against an installed Paddock.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PADDOCK_SOURCE/examples/custom-test/run.sh" "$work/example" >"$work/shown" || {
    cat "$work/shown"
    exit 1
}
expect() {
    grep -qF -- "$1" "$work/shown" || { echo "missing: $1"; cat "$work/shown"; exit 1; }
}
expect "good: 24 ok, 0 failed, 0 warnings, 0 skipped"
expect "ok      calibration: expected calibration error 0.3216 of 64 rows, limit 0.5000"
expect "failed  org.example.calibration 1.0.0: probability: row 0: the output is no probability"
expect "loaded  org.example.calibration 1.0.0, probabilities mean what they say"
