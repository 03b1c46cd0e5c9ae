/* The log in one page.
 *
 * A 202 says that a record is on disk, so every batch is written to this log before anything else
 * sees it, and one fdatasync serves all batches that waited. Segments are preallocated: then
 * fdatasync has no file size to write and takes half the time. But what is allocated and was never
 * written is marked so, and the file system commits its journal to take that mark away: so small
 * groups have zeros written behind them, far enough for many more.
 *
 * What can go wrong, and what is done:
 *
 * - The machine stops in the middle of a write. The blocks of that group may be there in any part
 * and any order, but nobody was told they were durable. The reader stops at the first that is not
 * whole.
 * - write or fdatasync fails. What the disk holds then is unknown, and a second fdatasync that
 * succeeds proves nothing (the kernel may have dropped the pages). So the segment is given up at
 * its last durable block and the next append begins a new one, whose first position tells the
 * reader where to leave the old one, whatever stands behind that point.
 * - A restart never appends to an old segment: bytes behind a torn tail are never used again.
 * - The log is gone or set back while the store is not (a copy was restored): the store knows
 * positions that the log does not. continue_after() jumps beyond them, since a position used twice
 * would make replay take new blocks for old ones. A segment's head says up to where the log had
 * really been written (`after`), so that such a jump is not mistaken for missing blocks.
 * - A disk loses bits. A damaged block with a later *group* behind it had been durable: that is
 * reported with file and offset, and the server does not start, unless told to (accept_damage). */
#include "telemetry/segment_impl.h"

#include "base/grow.h"
#include "base/hash.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS_PER_CALL 1020 /* below IOV_MAX, a multiple of the parts of a block */
/* A kernel that does not preempt itself lets nobody else run on this processor for as long as one
 * call lasts: 8 MB were 3 to 20 ms, in which a loop that had been woken waited. */
#define WRITE_BYTES_MAX ((size_t)128 << 10)
#define PARTS_PER_BLOCK 4
/* Zeros written behind a small group; a large one would double what the disk has to take. */
#define ZEROS_AHEAD ((size_t)512 << 10)
#define SMALL_GROUP ((size_t)64 << 10)
static const char zeros[64 << 10];
#define ZEROS_PARTS (ZEROS_AHEAD / sizeof zeros)

void segment_path(const struct segment_log *log, uint64_t first, char out[SEGMENT_PATH_SIZE])
{
    snprintf(out, SEGMENT_PATH_SIZE, "%s/%020" PRIu64 ".seg", log->dir, first);
}

/* --- opening --- */

static int by_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void add_segment(struct segment_log *log, uint64_t first, uint64_t bytes)
{
    GROW(log->segments, log->n, log->cap);
    log->segments[log->n++] = (struct segment){first, bytes};
}

static bool list_segments(struct segment_log *log, struct err *e)
{
    DIR *dir = opendir(log->dir);
    if (!dir)
        return fail_errno(e, &ERR_IO, "cannot read the directory '%s'", log->dir);
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        char *rest, path[SEGMENT_PATH_SIZE];
        struct stat st;
        uint64_t first = strtoull(d->d_name, &rest, 10);
        if (rest != d->d_name + 20 || strcmp(rest, ".seg") != 0)
            continue;
        segment_path(log, first, path);
        if (stat(path, &st) == 0)
            add_segment(log, first, (uint64_t)st.st_size);
    }
    closedir(dir);
    if (log->n)
        qsort(log->segments, log->n, sizeof *log->segments, by_first);
    return true;
}

struct segment_log *segment_log_open(const struct segment_log_config *config, struct err *e)
{
    struct segment_log *log = mem_zero(1, sizeof *log);
    log->config = *config;
    log->dir = mem_text(config->dir);
    log->fd = -1;
    log->next = 1;
    pthread_mutex_init(&log->lock, NULL);
    if (mkdir(log->dir, 0750) != 0 && errno != EEXIST)
        fail_errno(e, &ERR_IO, "cannot make the directory '%s'", log->dir);
    else if (strlen(log->dir) > SEGMENT_PATH_SIZE - 64)
        fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    else if (list_segments(log, e))
        return log;
    segment_log_close(log);
    return NULL;
}

void segment_log_close(struct segment_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log->segments);
    free(log->dir);
    free(log);
}

void segment_log_continue_after(struct segment_log *log, uint64_t position)
{
    if (position >= log->next)
        log->next = position + 1;
}

/* --- writing --- */

/* One call: parts from the beginning, the last of them perhaps cut. */
static ssize_t write_some(struct segment_log *log, struct iovec *parts, size_t n)
{
    const struct files *files = log->config.files;
    size_t count = 0, bytes = 0;
    while (count < n && count < PARTS_PER_CALL && bytes < WRITE_BYTES_MAX)
        bytes += parts[count++].iov_len;
    struct iovec *last = &parts[count - 1];
    const size_t over = bytes > WRITE_BYTES_MAX ? bytes - WRITE_BYTES_MAX : 0;
    last->iov_len -= over;
    ssize_t done = files->pwritev(files->self, log->fd, parts, (int)count, (off_t)log->at);
    last->iov_len += over;
    return done;
}

/* Write all parts, however the system cuts them. Changes `parts`. */
static bool write_parts(struct segment_log *log, struct iovec *parts, size_t n, struct err *e)
{
    while (n) {
        ssize_t done = write_some(log, parts, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail_errno(e, &ERR_IO, "cannot write to the log in '%s'", log->dir);
        log->at += (uint64_t)done;
        while (n && (size_t)done >= parts->iov_len) {
            done -= (ssize_t)parts->iov_len;
            parts++;
            n--;
        }
        if (n) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return true;
}

static bool sync_segment(struct segment_log *log, struct err *e)
{
    const struct files *files = log->config.files;
    return files->fdatasync(files->self, log->fd) == 0 ||
           fail_errno(e, &ERR_IO, "cannot make the log in '%s' durable", log->dir);
}

/* The log is read after a restart only. Left in the kernel's cache it would take new memory for
 * each page, which a virtual machine's host may have to find first: 8 us instead of 1, within the
 * call. The last page of a small group is what the next one writes to. */
static void forget_group(struct segment_log *log, uint64_t start, uint64_t end)
{
    const struct files *files = log->config.files;
    if (end - start > SMALL_GROUP)
        files->forget(files->self, log->fd, (off_t)start, (off_t)(end - start));
}

/* The path of the last segment: release() moves the list from another thread. */
static void last_path(struct segment_log *log, char out[SEGMENT_PATH_SIZE])
{
    pthread_mutex_lock(&log->lock);
    segment_path(log, log->segments[log->n - 1].first, out);
    pthread_mutex_unlock(&log->lock);
}

void segment_drop_last(struct segment_log *log)
{
    const struct files *files = log->config.files;
    char path[SEGMENT_PATH_SIZE];
    last_path(log, path);
    files->unlink(files->self, path);
    pthread_mutex_lock(&log->lock);
    log->n--;
    pthread_mutex_unlock(&log->lock);
}

/* Stop using the current segment. One that failed is cut at its last durable byte: that is a
 * kindness to the disk; the reader does not depend on it. */
static void leave_segment(struct segment_log *log, uint64_t durable_bytes)
{
    const struct files *files = log->config.files;
    char path[SEGMENT_PATH_SIZE];
    close(log->fd);
    log->fd = -1;
    if (durable_bytes <= SEGMENT_HEAD_SIZE) {
        segment_drop_last(log);
        return;
    }
    last_path(log, path);
    files->truncate(files->self, path, (off_t)durable_bytes);
}

/* Create the next segment with room for a block of `need` bytes. Head and name are durable when it
 * returns. */
static bool begin_segment(struct segment_log *log, uint64_t need, struct err *e)
{
    const struct files *files = log->config.files;
    uint64_t bytes = log->config.segment_bytes;
    char path[SEGMENT_PATH_SIZE], head[SEGMENT_HEAD_SIZE];
    if (bytes < need + SEGMENT_HEAD_SIZE)
        bytes = need + SEGMENT_HEAD_SIZE;
    do {
        segment_path(log, log->next, path);
        log->fd = files->create(files->self, path, bytes);
    } while (log->fd < 0 && errno == EEXIST && log->next++ < UINT64_MAX);
    if (log->fd < 0)
        return fail_errno(e, &ERR_IO, "cannot make '%s'", path);
    pthread_mutex_lock(&log->lock);
    add_segment(log, log->next, 0);
    pthread_mutex_unlock(&log->lock);
    log->at = log->written = 0;
    log->room = bytes;
    segment_head_encode(&(struct segment_head){log->next, log->last}, head);
    struct iovec part = {head, sizeof head};
    if (!write_parts(log, &part, 1, e) || !sync_segment(log, e) ||
        (files->sync_dir(files->self, log->dir) != 0 &&
         !fail_errno(e, &ERR_IO, "cannot make the directory '%s' durable", log->dir))) {
        leave_segment(log, 0);
        return false;
    }
    return true;
}

static struct block_head head_of(const struct block_write *b, uint64_t group)
{
    return (struct block_head){
        b->position,         group,      b->payload_len,
        b->payload_checksum, b->key_len, b->key_len ? checksum32(b->key_part, b->key_len) : 0};
}

static uint64_t size_of(const struct block_write *b)
{
    struct block_head h = {.payload_len = b->payload_len, .key_len = b->key_len};
    return block_size(&h);
}

/* How many of the blocks still fit the current segment; 0 also if there is none. */
static size_t fitting(const struct segment_log *log, const struct block_write *blocks, size_t n)
{
    uint64_t at = log->at, end = log->fd < 0 ? 0 : log->room;
    size_t i = 0;
    while (i < n && at + size_of(&blocks[i]) <= end)
        at += size_of(&blocks[i++]);
    return i;
}

/* Zeros for behind a group that ends at `end`, as parts; how many. They change nothing of what a
 * reader finds, and need not be there after a crash. */
static size_t zeros_behind(struct segment_log *log, uint64_t end, struct iovec *parts)
{
    const bool small = end - log->at <= SMALL_GROUP;
    size_t n = 0;
    if (end <= log->written)
        return 0;
    log->written = end;
    for (; small && n < ZEROS_PARTS && log->written < log->room; n++) {
        const uint64_t left = log->room - log->written;
        const size_t len = left < sizeof zeros ? (size_t)left : sizeof zeros;
        parts[n] = (struct iovec){(void *)(uintptr_t)zeros, len};
        log->written += len;
    }
    return n;
}

/* Write `n` blocks, which fit, with one fdatasync. */
static bool write_group(struct segment_log *log, struct block_write *blocks, size_t n,
                        struct err *e)
{
    char(*heads)[BLOCK_HEAD_SIZE] = mem_alloc(n * sizeof *heads);
    struct iovec *parts = mem_alloc((n * PARTS_PER_BLOCK + ZEROS_PARTS) * sizeof *parts);
    uint64_t group = log->next, start = log->at, end = start;
    size_t n_parts = 0;
    for (size_t i = 0; i < n; i++) {
        struct block_write *b = &blocks[i];
        b->position = log->next + i;
        struct block_head head = head_of(b, group);
        block_head_encode(&head, heads[i]);
        size_t pad = size_of(b) - BLOCK_HEAD_SIZE - b->payload_len - b->key_len;
        parts[n_parts++] = (struct iovec){heads[i], BLOCK_HEAD_SIZE};
        parts[n_parts++] = (struct iovec){(void *)(uintptr_t)b->payload, b->payload_len};
        if (b->key_len)
            parts[n_parts++] = (struct iovec){(void *)(uintptr_t)b->key_part, b->key_len};
        if (pad)
            parts[n_parts++] = (struct iovec){(void *)(uintptr_t)zeros, pad};
        end += size_of(b);
    }
    n_parts += zeros_behind(log, end, parts + n_parts);
    bool ok = write_parts(log, parts, n_parts, e) && sync_segment(log, e);
    free(heads);
    free(parts);
    if (!ok) {
        leave_segment(log, start);
        return false;
    }
    forget_group(log, start, end);
    log->at = end;
    log->next += n;
    pthread_mutex_lock(&log->lock);
    log->last = log->next - 1;
    log->segments[log->n - 1].bytes = log->at;
    pthread_mutex_unlock(&log->lock);
    return true;
}

bool segment_log_append(struct segment_log *log, struct block_write *blocks, size_t n,
                        size_t *written, struct err *e)
{
    *written = 0;
    while (*written < n) {
        size_t left = n - *written, fit = fitting(log, blocks + *written, left);
        if (fit == 0) {
            if (log->fd >= 0)
                leave_segment(log, log->at);
            if (!begin_segment(log, size_of(&blocks[*written]), e))
                return false;
            continue;
        }
        if (!write_group(log, blocks + *written, fit, e))
            return false;
        *written += fit;
    }
    return true;
}

/* --- the end of segments --- */

bool segment_log_probe(struct segment_log *log, struct err *e)
{
    return log->fd >= 0 || begin_segment(log, 0, e);
}

void segment_log_release(struct segment_log *log, uint64_t position)
{
    const struct files *files = log->config.files;
    char path[SEGMENT_PATH_SIZE];
    pthread_mutex_lock(&log->lock);
    size_t gone = 0;
    /* A segment ends before the next one begins; the last stays. */
    while (gone + 1 < log->n && log->segments[gone + 1].first - 1 <= position) {
        segment_path(log, log->segments[gone].first, path);
        if (files->unlink(files->self, path) != 0 && errno != ENOENT)
            break;
        gone++;
    }
    if (gone) {
        log->n -= gone;
        memmove(log->segments, log->segments + gone, log->n * sizeof *log->segments);
    }
    pthread_mutex_unlock(&log->lock);
}

uint64_t segment_log_last(struct segment_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t last = log->last;
    pthread_mutex_unlock(&log->lock);
    return last;
}

uint64_t segment_log_first(struct segment_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t first = log->n ? log->segments[0].first : log->last + 1;
    pthread_mutex_unlock(&log->lock);
    return first;
}

uint64_t segment_log_segments(struct segment_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t n = log->n;
    pthread_mutex_unlock(&log->lock);
    return n;
}

uint64_t segment_log_bytes(struct segment_log *log)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        bytes += log->segments[i].bytes;
    pthread_mutex_unlock(&log->lock);
    return bytes;
}
