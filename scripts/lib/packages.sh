# Sourced by the scripts: Debian packages, installed where they are missing.

PACKAGES_build="gcc libc6-dev cmake ninja-build pkgconf ccache git ca-certificates python3 libevent-dev
    libjansson-dev libsqlite3-dev libssl-dev libcurl4-openssl-dev libhttp-parser-dev libxxhash-dev
    liblua5.4-dev libcmocka-dev libxgboost-dev libhiredis-dev"
PACKAGES_examples="python3 python3-numpy python3-sklearn python3-xgboost python3-fastapi python3-uvicorn"
PACKAGES_three_nodes="redis-server redis-tools nginx-light python3"
PACKAGES_bench="wrk nginx-light redis-server redis-tools python3 python3-fastapi python3-uvicorn python3-redis
    python3-uvloop python3-httptools python3-hiredis"
PACKAGES_e2e="python3 python3-scipy python3-jsonschema python3-prometheus-client prometheus curl openssl binutils"
PACKAGES_openfeature="python3 nodejs npm"
PACKAGES_webhooks="python3 nodejs npm openssl"
PACKAGES_check="clang lld libclang-rt-14-dev llvm clang-format clang-tidy util-linux curl
    redis-server"

# need_packages <group>...: install what is missing of PACKAGES_<group>. Quick when nothing is.
need_packages() {
    local group wanted="" missing="" package
    for group in "$@"; do
        group="PACKAGES_$group"
        wanted="$wanted ${!group}"
    done
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian: make sure that you have what these packages hold:" $wanted >&2
        return 0
    fi
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null)
    for package in $wanted; do
        case "
$installed
" in
        *"
$package installed
"*) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        echo "Missing packages. As root: apt-get install --no-install-recommends$missing" >&2
        return 1
    fi
    echo "Installing$missing"
    local log
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        echo "Could not install:$missing" >&2
        return 1
    fi
    rm -f "$log"
}
