#!/usr/bin/env bash
# Benchmarks of the release build against its peers: one line a figure, with bound and verdict.
# usage: run.sh [--short] [--build DIR] [--keep] [SECTION...]    run.sh --help lists the sections
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/packages.sh
case " $* " in
    *" --build "* | *" --help "* | *" -h "*) ;;
    *)
        need_packages build bench
        scripts/build.sh release paddock bench-load bench-sketch bench-peers-evhttp
        ;;
esac
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 tests/bench/bench.py "$@"
