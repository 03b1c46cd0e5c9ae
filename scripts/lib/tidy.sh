#!/usr/bin/env bash
# clang-tidy over core/ and plugins/, with the flags of the dev build. A file whose preprocessed text was found good
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
# One entry a file: what plugins share is compiled into each of them, and clang-tidy 14, looking at a
# file a second time in one process, takes its va_list for uninitialized. What the dev build does not
# compile (a library is missing) is left out.
python3 - $database build/tidy <<'EOF'
import json, os, sys
with open(f"{sys.argv[1]}/compile_commands.json", encoding="utf-8") as f:
    entries = {os.path.relpath(e["file"]): e for e in json.load(f)}
with open(f"{sys.argv[2]}/compile_commands.json", "w", encoding="utf-8") as f:
    json.dump(list(entries.values()), f)
with open(f"{sys.argv[2]}/files", "w", encoding="utf-8") as f:
    f.writelines(file + "\n" for file in entries)
EOF
include_flags=$(pkg-config --cflags lua5.4)
rules=$(cat .clang-tidy && clang-tidy --version)
export include_flags rules

tidy_one() {
    local file=$1 stamp key
    stamp=build/tidy/${file//\//-}
    key=$({
        clang -E -P -std=gnu17 -D_GNU_SOURCE -include core/base/banned.h -Icore -Isdk/include $include_flags "$file"
        cat "$file"
        echo "$rules"
    } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return 0
    if clang-tidy --quiet -p build/tidy "$file" 2>/dev/null; then
        echo "$key" >"$stamp"
    else
        echo "^ $file"
        return 1
    fi
}
export -f tidy_one

source_files 'core/*.c' 'plugins/*.c' | grep -Fxf build/tidy/files | xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}'
