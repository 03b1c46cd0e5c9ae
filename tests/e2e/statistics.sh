#!/bin/bash
# core/stats beside SciPy, and a shortened run of the nightly alarm's simulation (fixed seeds).
set -e
/usr/bin/python3 -c 'import scipy' 2>/dev/null || {
    echo "python3-scipy is missing"
    exit 77
}
/usr/bin/python3 "$PADDOCK_SOURCE/tests/e2e/statistics_scipy.py"
exec "$PADDOCK_BUILD/tests/bench/nightly" 2000 100
