#!/usr/bin/env bash
# scripts/build.sh [preset] [target...]: build with a preset of CMakePresets.json (default release),
# after installing what is missing. The programs end up in build/<preset>/bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/packages.sh

preset=${1:-release}
[ $# -gt 0 ] && shift
case $preset in
release | coverage) need_packages build ;;
*) need_packages build check ;;
esac

# Configuring prints a page; it is worth reading only if it fails.
mkdir -p build
if ! cmake --preset "$preset" >"build/configure-$preset.log" 2>&1; then
    cat "build/configure-$preset.log" >&2
    exit 1
fi
# -k 0: one run shows the errors of all files.
cmake --build --preset "$preset" ${*:+--target "$@"} -- -k 0
