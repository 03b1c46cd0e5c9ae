#!/usr/bin/env bash
# /metrics as Prometheus sees it: its linter, a strict parser of OpenMetrics, and a real Prometheus
# that scrapes for some seconds and is then asked.
set -euo pipefail
. "$PADDOCK_SOURCE/scripts/lib/packages.sh"
need_packages e2e || true
for program in prometheus promtool; do
    command -v "$program" >/dev/null || {
        echo "NOTHING WAS TESTED: there is no $program here (Debian's package prometheus)"
        exit 77
    }
done
/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || {
    echo "NOTHING WAS TESTED: python3-prometheus-client is missing"
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/prometheus_scrape.py"
