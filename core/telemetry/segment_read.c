#include "telemetry/segment_impl.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW      (4u << 20) /* read ahead */
#define UNKNOWN_END UINT64_MAX

/* A file seen through a sliding buffer. */
struct view {
    const char *path;
    int fd;
    uint64_t size, at; /* of the file; of data[0] in it */
    char *data;
    size_t len, cap;
    bool failed; /* the disk refused */
};

/* `len` bytes at `offset`, or NULL if the file ends before (or cannot be read). Aligned to 8 bytes
 * when the offset is. */
static const char *view_bytes(struct view *v, uint64_t offset, uint64_t len)
{
    if (offset > v->size || len > v->size - offset)
        return NULL;
    if (offset >= v->at && offset + len <= v->at + v->len)
        return v->data + (offset - v->at);
    size_t want = len > WINDOW ? len : WINDOW;
    if (want > v->size - offset)
        want = v->size - offset;
    if (want > v->cap) {
        free(v->data);
        v->data = mem_alloc(want);
        v->cap = want;
    }
    v->at = offset;
    v->len = 0;
    while (v->len < want) {
        ssize_t n = pread(v->fd, v->data + v->len, want - v->len, (off_t)(offset + v->len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        v->len += (size_t)n;
    }
    v->failed |= v->len < want;
    return len <= v->len ? v->data : NULL;
}

/* The head of a whole block at `offset`, with its body; false if there is none. */
static bool block_at(struct view *v, uint64_t offset, struct block_head *head, const char **body)
{
    const char *bytes = view_bytes(v, offset, BLOCK_HEAD_SIZE);
    if (!bytes || !block_head_decode(head, bytes))
        return false;
    bytes = view_bytes(v, offset, block_size(head));
    if (!bytes || !block_body_good(head, bytes + BLOCK_HEAD_SIZE))
        return false;
    *body = bytes + BLOCK_HEAD_SIZE;
    return true;
}

/* The first whole block behind `offset` that proves that `position` had been durable: of a later
 * group. 0 if there is none. */
static uint64_t find_later_group(struct view *v, uint64_t offset, uint64_t position)
{
    struct block_head head;
    const char *body;
    for (offset += 8; offset + BLOCK_HEAD_SIZE <= v->size; offset += 8)
        if (block_at(v, offset, &head, &body) && head.group > position)
            return offset;
    return 0;
}

static bool hand_over(const struct log_reader *reader, const struct block_head *head,
                      const char *body, struct err *e)
{
    struct block_read b = {
        .position = head->position, .payload = body, .payload_len = head->payload_len};
    if (head->key_len && !block_key_decode(&b.key, body + head->payload_len, head->key_len))
        b.key.key = NULL; /* it passed its checksum: a key of no form we know is no use */
    return reader->block(reader->ctx, &b, e);
}

/* Blocks from..to are damaged or missing. Refuse, unless they are rolled up or the operator accepts
 * it. */
static bool lost(const struct segment_log *log, const struct log_reader *reader, const char *path,
                 uint64_t offset, uint64_t from, uint64_t to, struct err *e)
{
    if (to <= reader->needed_after)
        return true;
    if (!log->config.accept_damage) {
        char last[40] = "";
        if (to != UNKNOWN_END)
            snprintf(last, sizeof last, " to %" PRIu64, to);
        return fail(
            e, &ERR_CORRUPT,
            "the log of inference records is damaged: '%s' at byte %" PRIu64 ": blocks %" PRIu64
            "%s had been acknowledged and cannot be read; restore the file, or start once with "
            "--accept-record-damage to go on without them",
            path, offset, from, last);
    }
    log_event(LOG_ERROR, "records_lost",
              "\"file\":\"%s\",\"offset\":%" PRIu64 ",\"from_block\":%" PRIu64
              ",\"to_block\":%" PRIu64,
              path, offset, from, to);
    return true;
}

/* Read one segment: blocks from log->next on, up to position `limit` (exclusive). `*end` is where
 * the last good block ends. */
static bool read_blocks(struct segment_log *log, struct view *v, uint64_t limit,
                        const struct log_reader *reader, uint64_t *end, struct err *e)
{
    uint64_t offset = SEGMENT_HEAD_SIZE;
    struct block_head head;
    const char *body;
    *end = offset;
    while (log->next < limit) {
        if (!block_at(v, offset, &head, &body) || head.position != log->next) {
            uint64_t later = v->failed ? 0 : find_later_group(v, offset, log->next);
            if (v->failed)
                return fail(e, &ERR_IO, "cannot read '%s' at byte %" PRIu64, v->path, offset);
            if (!later || !block_at(v, later, &head, &body) || head.position >= limit)
                return true; /* the end, torn or not */
            if (!lost(log, reader, v->path, offset, log->next, head.position - 1, e))
                return false;
            offset = later;
        }
        if (!hand_over(reader, &head, body, e))
            return false;
        log->next = head.position + 1;
        log->last = head.position;
        offset += block_size(&head);
        *end = offset;
    }
    return true;
}

/* Go to the place where a segment begins; what lies between must not be missing. */
static bool enter_segment(struct segment_log *log, const struct segment_head *head, bool oldest,
                          const char *path, const struct log_reader *reader, struct err *e)
{
    uint64_t seen = oldest ? reader->needed_after : log->next - 1;
    if (head->after > seen && !lost(log, reader, path, 0, seen + 1, head->after, e))
        return false;
    log->next = head->first;
    return true;
}

static bool open_view(struct view *v, const char *path, uint64_t size, struct err *e)
{
    *v = (struct view){.path = path, .size = size};
    v->fd = open(path, O_RDONLY | O_CLOEXEC);
    return v->fd >= 0 || fail_errno(e, &ERR_IO, "cannot open '%s'", path);
}

static void close_view(struct view *v)
{
    if (v->fd >= 0)
        close(v->fd);
    free(v->data);
}

/* The head of segment `i` is damaged. If it is the last and holds no block, it was being made. */
static bool headless(struct segment_log *log, size_t i, struct view *v,
                     const struct log_reader *reader, struct err *e)
{
    uint64_t first = log->segments[i].first;
    if (i + 1 == log->n && !find_later_group(v, 0, 0)) {
        segment_drop_last(log);
        return true;
    }
    uint64_t to = i + 1 < log->n ? log->segments[i + 1].first - 1 : UNKNOWN_END;
    return lost(log, reader, v->path, 0, first, to, e);
}

/* What a killed process left in the page cache was read like the rest, so it must be as durable.
 * And what follows the last good block will never be used. */
static bool settle_tail(struct segment_log *log, const char *path, uint64_t end, struct err *e)
{
    const struct files *files = log->config.files;
    struct segment *s = &log->segments[log->n - 1];
    if (end <= SEGMENT_HEAD_SIZE) {
        segment_drop_last(log);
        return true;
    }
    if (files->truncate(files->self, path, (off_t)end) == 0)
        s->bytes = end;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(e, &ERR_IO, "cannot open '%s'", path);
    bool ok = files->fdatasync(files->self, fd) == 0 ||
              fail_errno(e, &ERR_IO, "cannot make '%s' durable", path);
    close(fd);
    return ok;
}

static bool read_segment(struct segment_log *log, size_t i, const struct log_reader *reader,
                         struct err *e)
{
    char path[SEGMENT_PATH_SIZE];
    struct segment_head head;
    struct view v;
    bool last = i + 1 == log->n, ok = false;
    uint64_t limit = last ? UINT64_MAX : log->segments[i + 1].first, end;
    segment_path(log, log->segments[i].first, path);
    if (!open_view(&v, path, log->segments[i].bytes, e))
        return false;
    const char *bytes = view_bytes(&v, 0, SEGMENT_HEAD_SIZE);
    if (!bytes || !segment_head_decode(&head, bytes) || head.first != log->segments[i].first) {
        ok = headless(log, i, &v, reader, e);
    } else if (enter_segment(log, &head, i == 0, path, reader, e) &&
               read_blocks(log, &v, limit, reader, &end, e)) {
        ok = !last || settle_tail(log, path, end, e);
    }
    close_view(&v);
    return ok;
}

bool segment_log_read(struct segment_log *log, const struct log_reader *reader, struct err *e)
{
    for (size_t i = 0; i < log->n; i++)
        if (!read_segment(log, i, reader, e))
            return false;
    return true;
}
