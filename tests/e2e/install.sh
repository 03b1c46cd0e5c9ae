#!/usr/bin/env bash
# An installation as a stranger uses it: everything is where pkg-config, CMake and the program look
# for it, wherever it was put; and the build tree serves as well.
set -euo pipefail
build=${PADDOCK_BUILD:?} source=${PADDOCK_SOURCE:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export -n PADDOCK_BIN PADDOCK_SOURCE PADDOCK_BUILD

fail() {
    echo "FAILED $*" >&2
    exit 1
}

# exports <file>: the names that a shared object offers.
exports() {
    nm -D --defined-only "$1" | awk '{print $3}' | tr '\n' ' '
}

# one_command <folder of paddock.pc> <source> <target>
one_command() {
    # shellcheck disable=SC2046
    PKG_CONFIG_PATH=$1 cc -Wall -Wextra -Werror -shared -fPIC \
        $(PKG_CONFIG_PATH=$1 pkg-config --cflags paddock) -o "$3" "$2"
    [ "$(exports "$3")" = "paddock_plugin_entry " ] || fail "$3 exports $(exports "$3")"
}

prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
for file in bin/paddock include/paddock/plugin.h share/pkgconfig/paddock.pc \
    share/cmake/Paddock/PaddockConfig.cmake share/paddock/template/my_test.c \
    share/doc/paddock/api.md share/doc/paddock/sdk/README.md; do
    [ -f "$prefix/$file" ] || fail "$file was not installed"
done
"$prefix/bin/paddock" version
echo "ok     installed"

# A package is put together below DESTDIR, and used from somewhere else.
DESTDIR=$work/stage cmake --install "$build" --prefix /opt/paddock >"$work/log" 2>&1 ||
    fail "$(cat "$work/log")"
mv "$work/stage/opt/paddock" "$work/moved"
grep -rIl "$source\|$build" "$work/moved/share/pkgconfig" "$work/moved/share/cmake" &&
    fail "files that name the place they were built in"
echo "ok     installed below DESTDIR and moved"

for kind in test strategy runtime; do
    for from in "$prefix" "$work/moved" "$build"; do
        one_command "$from/share/pkgconfig" "$source/sdk/template/my_$kind.c" "$work/$kind.so"
    done
    echo "ok     one command: $kind ($(grep -c . "$source/sdk/template/my_$kind.c") lines)"
done

abi=$(sed -n 's/^#define PADDOCK_ABI_M[AI][JN]OR *\([0-9]*\)u$/\1/p' \
    "$prefix/include/paddock/plugin.h" | paste -sd .)
[ "$(PKG_CONFIG_PATH=$prefix/share/pkgconfig pkg-config --modversion paddock)" = "$abi" ] ||
    fail "pkg-config tells another version than the header, $abi"

# The template, by make and by CMake.
export PATH=$prefix/bin:$PATH
cp -r "$prefix/share/paddock/template" "$work/by-make"
PKG_CONFIG_PATH=$prefix/share/pkgconfig make -s -C "$work/by-make"
[ -f "$work/by-make/my_strategy.so" ] || fail "make built nothing"
echo "ok     make"
for from in "$prefix" "$build"; do
    rm -rf "$work/by-cmake"
    cp -r "$prefix/share/paddock/template" "$work/by-cmake"
    cmake -S "$work/by-cmake" -B "$work/by-cmake/build" "-DCMAKE_PREFIX_PATH=$from" \
        >"$work/log" 2>&1 && cmake --build "$work/by-cmake/build" >>"$work/log" 2>&1 ||
        fail "$(cat "$work/log")"
    [ "$(exports "$work/by-cmake/build/my_test.so")" = "paddock_plugin_entry " ] ||
        fail "CMake's plugin exports $(exports "$work/by-cmake/build/my_test.so")"
done
echo "ok     CMake"
