#!/bin/sh
# A full disk: records and changes are refused with 503 while everything is served on; with room again they go on by
# themselves; nothing acknowledged is lost and the journal verifies. Needs root for a small tmpfs.
set -u
base=$(mktemp -d) || exit 1
mount -t tmpfs -o size=24m tmpfs "$base" 2>/dev/null || {
    echo "SKIPPED: no tmpfs can be mounted here"
    rmdir "$base"
    exit 77
}
log=$(mktemp)
body=$(mktemp)
pid=
clean() {
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    umount "$base"
    rmdir "$base"
    rm -f "$log" "$body"
}
trap clean EXIT
die() {
    echo "FAULT: $*"
    grep -v '"event":"request"' "$log" | tail -5
    exit 1
}
"$PADDOCK_BIN" serve --listen 127.0.0.1:0 --data-dir "$base/data" --segment-bytes 4194304 2>"$log" &
pid=$!
for _ in $(seq 200); do
    port=$(sed -n 's/.*"event":"listening".*"port":\([0-9]*\).*/\1/p' "$log")
    [ -n "$port" ] && break
    sleep 0.05
done
[ -n "${port:-}" ] || die "the server does not start"
url=http://127.0.0.1:$port/api/models/enterprise

# call METHOD PATH TYPE FILE: prints the status
call() {
    curl -s -o /dev/null -w '%{http_code}' -X "$1" "$url$2" -H "Content-Type: $3" --data-binary "@$4"
}
get() { curl -s "$url$1"; }
ready() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz"; }

echo '{"name":"m","type":"other"}' >"$body"
[ "$(call POST /registry application/json "$body")" = 201 ] || die "cannot register"

yes '{"latency_ms":5}' | head -n 10000 >"$body"
acked=0
refused=0
for _ in $(seq 300); do
    case $(call POST /registry/m:1/inference application/x-ndjson "$body") in
        202) acked=$((acked + 10000)) ;;
        503) refused=$((refused + 1)) ;;
        *) die "records are neither taken nor refused" ;;
    esac
    [ $refused -ge 3 ] && break
done
[ $refused -ge 3 ] || die "the disk does not fill"
get /registry/m:1/metrics | grep -q "\"lifetime\":{\"total\":$acked" || die "$acked acknowledged, but $(get /registry/m:1/metrics)"

head -c 60000 /dev/zero | tr '\0' x | sed 's/^/{"description":"/; s/$/"}/' >"$body"
changed=0
for i in $(seq 400); do
    sed -i "s/\"description\":\"[0-9]*x/\"description\":\"${i}x/" "$body"
    status=$(call PATCH /registry/m:1 application/json "$body")
    [ "$status" = 503 ] && break
    [ "$status" = 200 ] || die "a change is answered $status"
    changed=$i
done
[ "$status" = 503 ] || die "changes are not refused on a full disk"
[ "$(ready)" = 503 ] || die "/readyz does not tell"
get /registry/m:1 | grep -q "\"description\":\"${changed}x" || die "reads are not served, or not the last acknowledged"

mount -o remount,size=200m "$base"
for _ in $(seq 100); do
    [ "$(ready)" = 200 ] && break
    sleep 0.1
done
[ "$(ready)" = 200 ] || die "not ready again by itself once there is room"
echo '{"latency_ms":5}' >"$body"
[ "$(call POST /registry/m:1/inference application/json "$body")" = 202 ] || die "records are still refused"
echo '{"description":"room"}' >"$body"
[ "$(call PATCH /registry/m:1 application/json "$body")" = 200 ] || die "changes are still refused"
get /registry/m:1/metrics | grep -q "\"lifetime\":{\"total\":$((acked + 1))" || die "records were lost"
kill -TERM "$pid"
wait "$pid" || die "the server ended with $?"
pid=
"$PADDOCK_BIN" audit verify --data-dir "$base/data" || die "the journal does not verify"
echo "$acked records and $changed changes acknowledged before the disk was full, all there"
