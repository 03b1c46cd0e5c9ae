#!/bin/sh
# Crashes under load (CRASH_ROUNDS, default 6; the full campaign is 100), and the proof that the test can see
# a server whose syncs do nothing.
set -u
here=$PADDOCK_FAULTS
"$here/crash" "${CRASH_ROUNDS:-6}" "$here/undo.so" "$here/rollback" || exit 1
echo "--- now with syncs that do nothing: must fail"
if "$here/crash" 6 "$here/undo.so" "$here/rollback" lie; then
    echo "a server that never syncs passed: this test proves nothing"
    exit 1
fi
echo "--- it failed, as it must"
