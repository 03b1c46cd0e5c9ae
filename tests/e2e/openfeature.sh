#!/usr/bin/env bash
# Flags as OpenFeature's published clients see them: the server SDK with the OFREP provider, of which
# npm has this one version, and the web SDK with its provider, on the protocol's present core. They
# come from npm, in these versions; where npm gets nothing, nothing is tested.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
# Node from elsewhere brings its own npm, which Debian's package would clash with.
command -v node >/dev/null && command -v npm >/dev/null || need_packages openfeature || true
for program in node npm; do
    command -v "$program" >/dev/null || {
        echo "NOTHING WAS TESTED: there is no $program here"
        exit 77
    }
done
clients=$(mktemp -d)
trap 'rm -rf "$clients"' EXIT
timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$clients" \
    @openfeature/server-sdk@1.23.0 @openfeature/ofrep-provider@0.1.3 \
    @openfeature/ofrep-core@0.1.4 @openfeature/web-sdk@1.10.0 \
    @openfeature/ofrep-web-provider@0.4.3 eventsource@3.0.7 >"$clients/log" 2>&1 || {
    cat "$clients/log"
    echo "NOTHING WAS TESTED: npm cannot install OpenFeature's clients here"
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1 NODE_PATH="$clients/node_modules"
/usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/openfeature_run.py"
