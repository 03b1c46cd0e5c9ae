#!/usr/bin/env bash
# clang-tidy over core/, with the flags of the dev build. A file whose preprocessed text was found good
# before is not looked at again: build/tidy/ keeps the hashes.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib/files.sh
database=build/dev
[ -f $database/compile_commands.json ] || {
    echo "there is no dev build"
    exit 77
}
mkdir -p build/tidy
include_flags=$(pkg-config --cflags lua5.4)
export include_flags

tidy_one() {
    local file=$1 stamp key
    stamp=build/tidy/${file//\//-}
    key=$({
        clang -E -P -std=gnu17 -D_GNU_SOURCE -include core/base/banned.h -Icore -Isdk/include $include_flags "$file"
        cat .clang-tidy "$file"
        clang-tidy --version
    } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return 0
    if clang-tidy --quiet -p build/dev "$file" 2>/dev/null; then
        echo "$key" >"$stamp"
    else
        echo "^ $file"
        return 1
    fi
}
export -f tidy_one

source_files 'core/*.c' | xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}'
