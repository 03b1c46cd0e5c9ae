#!/usr/bin/env bash
# scripts/test.sh        everything: three builds, all tests in each, fuzzers, checks of the source
# scripts/test.sh quick  unit and API tests of the release build, in about a minute (the API's once,
#                        on the embedded store; everything has them on Redis as well)
# scripts/test.sh cluster  the whole contract of the API on Redis Clusters of three masters, which
#                        everything has only two files of, and the suite that all stores pass
#
# Goes on after a failure, so that one run tells all. The last line sums up tests and checks:
# "N passed, N failed, N skipped". Fails if anything failed. Logs are in build/logs/.
# FUZZ_SECONDS (10): how long each fuzzer runs.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/packages.sh
. scripts/lib/files.sh

passed=0 failed=0 skipped=0
failures=()
logs=build/logs
mkdir -p $logs
jobs=$((2 * $(nproc))) # tests wait more than they work

# report <seconds> <name> <outcome>: one line per step.
report() {
    printf '[%4d s] %-34s %s\n' "$1" "$2" "$3"
}

# note <name> <passed> <failed> <skipped>: count the outcome of a step.
note() {
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    [ "$3" -gt 0 ] && failures+=("$1")
    return 0
}

# step <name> <command...>: a step that passes or fails as a whole. Ending with 77 means skipped.
step() {
    local name=$1 log start=$SECONDS rc
    shift
    log=$logs/${name//[ \/]/-}.log
    "$@" >"$log" 2>&1
    rc=$?
    case $rc in
    0) note "$name" 1 0 0 && report $((SECONDS - start)) "$name" ok ;;
    77) note "$name" 0 0 1 && report $((SECONDS - start)) "$name" "SKIPPED: $(tail -n 1 "$log")" ;;
    *)
        note "$name" 0 1 0
        report $((SECONDS - start)) "$name" "FAILED, $log ends:"
        grep -vE '^\[[0-9]+/[0-9]+\]|ccache' "$log" | tail -n 60 # without ninja's progress
        ;;
    esac
    return $rc
}

# attribute <name> <junit file>: a number of the head of the file; 0 if there is none.
attribute() {
    local n
    n=$(head -n 15 "$2" 2>/dev/null | grep -m 1 -ow "$1=\"[0-9]*\"" | tr -dc 0-9)
    echo "${n:-0}"
}

# tests <preset> <labels>: run ctest and count each of its tests.
tests() {
    local preset=$1 labels=$2 name="test $1" start=$SECONDS rc
    local log=$logs/test-$preset.log xml=$PWD/$logs/test-$preset.xml
    rm -f "$xml"
    ctest --test-dir "build/$preset" -L "$labels" -j "$jobs" --output-on-failure --timeout 600 \
        --no-tests=error --output-junit "$xml" >"$log" 2>&1
    rc=$?
    local total bad left_out good
    total=$(attribute tests "$xml") bad=$(attribute failures "$xml")
    left_out=$(($(attribute skipped "$xml") + $(attribute disabled "$xml")))
    [ $rc -ne 0 ] && [ "$bad" -eq 0 ] && bad=1 total=$((total + 1))
    good=$((total - bad - left_out))
    note "$name" $good "$bad" "$left_out"
    report $((SECONDS - start)) "$name" "$good passed, $bad failed, $left_out skipped"
    if [ $rc -ne 0 ]; then
        # What the tests that failed printed.
        awk '/^ *[0-9]+\/[0-9]+ Test/ { show = /\*\*\*/ && !/Skipped/ }
             /^ *Start +[0-9]+:|tests passed,/ { show = 0 } show' "$log" | head -n 200
        sed -n '/The following tests FAILED/,$p' "$log"
    elif [ "$left_out" -gt 0 ]; then
        sed -n '/The following tests did not run/,$p' "$log"
    fi
}

# clang-tidy takes minutes and nobody waits for it until the end: it uses the time in which tests wait.
tidy_begin() {
    nice -n 19 scripts/lib/tidy.sh >$logs/clang-tidy-behind.log 2>&1 &
    tidy_pid=$!
    trap 'kill $tidy_pid 2>/dev/null' EXIT
}

tidy_end() {
    wait $tidy_pid
    local rc=$?
    cat $logs/clang-tidy-behind.log
    return $rc
}

# build_and_test <preset> <labels>: a build that fails counts its tests as one skipped step.
build_and_test() {
    local built
    step "build $1" scripts/build.sh "$1"
    built=$?
    [ "$1" = dev ] && tidy_begin # it takes its flags from there
    if [ $built -eq 0 ]; then
        tests "$1" "$2"
    else
        note "test $1" 0 0 1
        report 0 "test $1" "SKIPPED: the build failed"
    fi
}

# Each file of the contract, and the suite of the stores, on a Cluster of its own; last how many cases.
on_cluster() {
    local log=$logs/ctest-cluster.log rc
    ctest --test-dir build/release -C cluster -j "$(nproc)" --no-tests=error -V \
        -R '^(api/contract_cluster/|unit/store/redis_cluster$)' >"$log" 2>&1
    rc=$?
    grep -E '\[  FAILED  \]|^[ 0-9/]*Test .*(\*\*\*|Skipped)|tests passed' "$log"
    sed -nE 's/^[0-9]+: \[(==========|  PASSED  )\] ([0-9]+) test\(s\)( run)?\.$/\1 \2/p' "$log" |
        awk '/PASSED/ { good += $2 } /=/ { all += $2 } END { print good + 0 " of " all + 0 " cases passed" }'
    return $rc
}

# One fuzzer for a while, beginning with its corpus; new inputs go to a folder of the build.
fuzz_one() {
    local program=$1 name corpus
    name=$(basename "$program" | sed 's/^fuzz_//')
    corpus=build/dev/corpus/$name
    mkdir -p "$corpus"
    local seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=
    "$program" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$logs/crash-$name-" -print_final_stats=1 "$corpus" $seeds
}

fuzzers() {
    local program found=
    for program in build/dev/tests/fuzz/fuzz_*; do
        [ -x "$program" ] || continue
        found=yes
        step "fuzz $(basename "$program" | sed 's/^fuzz_//')" fuzz_one "$program"
    done
    [ -n "$found" ] || step "fuzz" no_fuzzers
}

no_fuzzers() {
    echo "there are no fuzzers"
    return 77
}

format_check() {
    source_files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

shell_check() {
    local file bad=0
    for file in $(source_files '*.sh') .ci/run; do
        bash -n "$file" || bad=1
    done
    return $bad
}

finish() {
    echo
    [ ${#failures[@]} -gt 0 ] && printf 'failed: %s\n' "${failures[@]}"
    echo "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}

if [ "${1:-}" = quick ]; then
    build_and_test release '^(unit|api)$'
    finish
fi

if [ "${1:-}" = cluster ]; then
    step "build release" scripts/build.sh release && step "on Clusters" on_cluster &&
        tail -n 1 $logs/on-Clusters.log
    finish
fi

step "packages" need_packages build check examples e2e
build_and_test release '^(unit|api|redis|check|faults|e2e)$'
build_and_test dev '^(unit|api)$'
build_and_test tsan '^(unit|api)$'
fuzzers
step "clang-format" format_check
step "shell syntax" shell_check
step "clang-tidy" tidy_end
finish
