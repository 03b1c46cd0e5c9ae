#!/usr/bin/env bash
# Every operation that the server's own description has, called and compared with it.
set -euo pipefail
/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || {
    echo "python3-jsonschema is missing"
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -W ignore::DeprecationWarning "$PADDOCK_SOURCE/tests/e2e/openapi_walk.py"
