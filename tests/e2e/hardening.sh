#!/usr/bin/env bash
# What is compiled into the programs, what the running server has given up, who may read its files,
# and the systemd unit in the eyes of systemd's own checker.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
need_packages e2e || true
command -v readelf >/dev/null || {
    echo "NOTHING WAS TESTED: there is no readelf here (Debian's package binutils)"
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/hardening_check.py"
