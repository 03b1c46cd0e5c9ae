#!/usr/bin/env bash
# sdk/README.md, "Your first plugin in five minutes": its lines, as they stand there.
set -euo pipefail
for tool in curl jq pkg-config cc; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing"
        exit 77
    }
done
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/first_plugin_run.py"
