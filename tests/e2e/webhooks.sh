#!/usr/bin/env bash
# Webhooks against real receivers: what is sent, in which order, over crashes, and to whom not. The
# signatures are checked by the npm package standardwebhooks; where its registry cannot be reached
# all the rest runs, and the test counts as skipped.
# E2E_WEBHOOK_EVENTS: events of the part with crashes [2000]; the acceptance run has 10000.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
export WEBHOOK_NODE="$PADDOCK_BUILD/e2e-node"
mkdir -p "$WEBHOOK_NODE"
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
# Node from elsewhere brings its own npm, which Debian's package would clash with.
command -v node >/dev/null && command -v npm >/dev/null || need_packages webhooks || true
package=standardwebhooks@1.0.0
installed=yes
if [ ! -d "$WEBHOOK_NODE/node_modules/standardwebhooks" ] &&
    ! timeout 300 npm install --prefix "$WEBHOOK_NODE" --no-audit --no-fund --ignore-scripts \
        "$package" >"$WEBHOOK_NODE/npm.log" 2>&1; then
    installed=no
    export WEBHOOK_NODE=""
fi
/usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/webhooks_run.py"
if [ "$installed" = no ]; then
    echo "SKIPPED: npm could not install $package, so nobody else looked at the signatures" >&2
    exit 77
fi
