#!/usr/bin/env bash
# TLS as openssl's own client and curl see it: protocols, ciphers, renegotiation, certificates of
# clients, and the certificate replaced under load without one failed request.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
need_packages e2e || true
for program in openssl curl; do
    command -v "$program" >/dev/null || {
        echo "NOTHING WAS TESTED: there is no $program here"
        exit 77
    }
done
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/tls_client.py"
