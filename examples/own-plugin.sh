# What the examples of plugins share; sourced by their run.sh. usage of those: run.sh [FOLDER]
#   (an empty folder to work in; default: a temporary one)
# PADDOCK_BUILD: the build that is installed (default: build/release)
# shellcheck shell=bash disable=SC2154   # `here` is the example's folder
build=${PADDOCK_BUILD:-$here/../../build/release}
work=${1:-$(mktemp -d)}
kept=${1-}
mkdir -p "$work"
chmod 755 "$work"
server=
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    [ -n "$kept" ] || rm -rf "$work"
}
trap finish EXIT

say() {
    printf '\n$ %s\n' "$*"
    "$@"
}

umask 022
cmake --install "$build" --prefix "$work/paddock" >/dev/null
export PATH=$work/paddock/bin:$PATH PKG_CONFIG_PATH=$work/paddock/share/pkgconfig
cd "$work" || exit 1

# serve FILE.so: a server takes it from a directory that only its owner may write; sets `url`.
serve() {
    mkdir -p plugins
    install -m 644 "$1" plugins/
    printf '\n$ paddock serve --plugin-dir plugins ...\n'
    env -u PADDOCK_BIN -u PADDOCK_SOURCE -u PADDOCK_BUILD \
        paddock serve --listen 127.0.0.1:0 --data-dir data --plugin-dir plugins 2>server.log &
    server=$!
    local port=
    for _ in $(seq 600); do
        port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' server.log)
        [ -z "$port" ] || break
        sleep 0.05
    done
    [ -n "$port" ] || { cat server.log; exit 1; }
    # shellcheck disable=SC2034   # for who sources this
    url=http://127.0.0.1:$port/api/models/enterprise
}
