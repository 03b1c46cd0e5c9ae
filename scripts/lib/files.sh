# Sourced by the scripts.

# source_files <pattern>...: the files of the project that match, committed or not, but not ignored.
source_files() {
    local file
    git ls-files -co --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}
