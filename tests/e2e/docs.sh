#!/usr/bin/env bash
# docs/api.md, executed from top to bottom against a server of its own.
set -euo pipefail
command -v curl >/dev/null || {
    echo "curl is missing"
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/docs_run.py" "$PADDOCK_SOURCE/docs/api.md"
