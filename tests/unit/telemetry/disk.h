/* disk: a disk for the log's tests that can fail, or stop at any moment, and blocks whose content
 * follows from their number. The disk is a real directory behind a table of functions that notes
 * what was written and what was made durable; a crash sets every 512 bytes that were not durable to
 * what they were or to what they should have become, at random. */
#ifndef PADDOCK_TESTS_TELEMETRY_DISK_H
#define PADDOCK_TESTS_TELEMETRY_DISK_H

#include "telemetry/segment_log.h"

#include "support/random.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

/* A piece of a file before it was overwritten. */
struct undo {
    char path[200];
    off_t at;
    size_t len;
    char data[SECTOR];
};

struct disk {
    struct files files; /* first */
    char dir[TEMP_DIR_SIZE];
    struct undo *undo; /* newest last */
    size_t n_undo, undo_cap;
    char unsynced_names[16][200]; /* files that the directory does not hold for sure */
    size_t n_names;
    char path_of[64][200];                       /* by descriptor */
    int fail_writes, fail_syncs, fail_truncates; /* so many calls from now fail; -1: none */
    char created[200]; /* the last file that was made: no other is ever cut while writing */
    int wrong_cuts;
    off_t reached;                 /* the end of what was last written */
    off_t forgotten, forgotten_to; /* bytes that need not stay in memory; the end of the last */
    uint64_t seed;
};

static inline bool runs_out(int *left)
{
    if (*left < 0)
        return false;
    if (*left == 0)
        return true;
    --*left;
    return false;
}

static inline int disk_create(void *self, const char *path, size_t bytes)
{
    struct disk *d = self;
    int fd = FILES_SYSTEM.create(NULL, path, bytes);
    if (fd >= 0 && fd < 64) {
        snprintf(d->path_of[fd], sizeof d->path_of[fd], "%s", path);
        snprintf(d->created, sizeof d->created, "%s", path);
        if (d->n_names < 16)
            snprintf(d->unsynced_names[d->n_names++], sizeof d->unsynced_names[0], "%s", path);
    }
    return fd;
}

static inline void note_sector(struct disk *d, const char *path, int fd, off_t at)
{
    struct undo *u;
    if (d->n_undo == d->undo_cap) {
        d->undo_cap = d->undo_cap ? d->undo_cap * 2 : 64;
        d->undo = mem_resize(d->undo, d->undo_cap, sizeof *d->undo);
    }
    u = &d->undo[d->n_undo++];
    snprintf(u->path, sizeof u->path, "%s", path);
    u->at = at;
    ssize_t n = pread(fd, u->data, SECTOR, at);
    u->len = n > 0 ? (size_t)n : 0;
}

static inline ssize_t disk_pwritev(void *self, int fd, const struct iovec *parts, int n, off_t at)
{
    struct disk *d = self;
    off_t end = at;
    for (int i = 0; i < n; i++)
        end += (off_t)parts[i].iov_len;
    if (runs_out(&d->fail_writes)) {
        errno = ENOSPC;
        return -1;
    }
    for (off_t s = at - at % SECTOR; s < end; s += SECTOR)
        note_sector(d, d->path_of[fd], fd, s);
    d->reached = end;
    /* Short writes are part of life. */
    if (n > 1 && random_u64(&d->seed) % 4 == 0)
        n = 1;
    return pwritev(fd, parts, n, at);
}

static inline int disk_fdatasync(void *self, int fd)
{
    struct disk *d = self;
    if (runs_out(&d->fail_syncs)) {
        errno = EIO;
        return -1;
    }
    /* Whatever file it is: the log writes one at a time, and reopens an old one only to make it
     * durable. */
    (void)fd;
    d->n_undo = 0;
    return 0;
}

static inline int disk_sync_dir(void *self, const char *path)
{
    struct disk *d = self;
    (void)path;
    d->n_names = 0;
    return 0;
}

static inline int disk_truncate(void *self, const char *path, off_t len)
{
    struct disk *d = self;
    d->wrong_cuts += *d->created && strcmp(path, d->created) != 0;
    if (runs_out(&d->fail_truncates)) {
        errno = EIO;
        return -1;
    }
    return truncate(path, len);
}

static inline int disk_unlink(void *self, const char *path)
{
    (void)self;
    return unlink(path);
}

static inline void disk_forget(void *self, int fd, off_t at, off_t len)
{
    struct disk *d = self;
    if (d->n_undo) /* not durable: a kernel would have to write it first, or keep it */
        abort();
    d->forgotten += len;
    d->forgotten_to = at + len;
    FILES_SYSTEM.forget(NULL, fd, at, len);
}

static inline void disk_init(struct disk *d, uint64_t seed)
{
    *d = (struct disk){.files = {.create = disk_create,
                                 .pwritev = disk_pwritev,
                                 .fdatasync = disk_fdatasync,
                                 .sync_dir = disk_sync_dir,
                                 .truncate = disk_truncate,
                                 .unlink = disk_unlink,
                                 .forget = disk_forget},
                       .fail_writes = -1,
                       .fail_syncs = -1,
                       .fail_truncates = -1,
                       .seed = seed};
    temp_dir_make_fast(d->dir);
}

static inline void disk_release(struct disk *d)
{
    free(d->undo);
    temp_dir_remove(d->dir);
}

/* The machine stops: what was not durable is there or not, sector by sector. */
static inline void disk_crash(struct disk *d)
{
    while (d->n_undo) {
        const struct undo *u = &d->undo[--d->n_undo];
        if (random_u64(&d->seed) % 2)
            continue;
        int fd = open(u->path, O_RDWR);
        if (fd < 0)
            continue;
        if (pwrite(fd, u->data, u->len, u->at) != (ssize_t)u->len)
            abort();
        close(fd);
    }
    while (d->n_names)
        if (random_u64(&d->seed) % 2 == 0)
            unlink(d->unsynced_names[--d->n_names]);
        else
            d->n_names--;
}

/* --- blocks whose content follows from their number --- */

#define CONTENT_MAX 3000

static inline size_t content_of(uint64_t id, char out[CONTENT_MAX])
{
    uint64_t seed = id;
    size_t len = 8 + random_u64(&seed) % (CONTENT_MAX / 8 - 1) * 8;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = i ? random_u64(&seed) : id;
        memcpy(out + i, &word, 8);
    }
    return len;
}

#define IDS_MAX 4096

struct test {
    struct disk disk;
    struct segment_log *log;
    struct segment_log_config config;
    struct err err;
    /* What was read: the ids in order. */
    uint64_t read[IDS_MAX];
    size_t n_read;
    uint64_t last_position;
    char key[64];
};

static inline bool take(void *ctx, const struct block_read *b, struct err *e)
{
    struct test *t = ctx;
    char content[CONTENT_MAX];
    uint64_t id;
    (void)e;
    memcpy(&id, b->payload, 8);
    size_t len = content_of(id, content);
    assert_int_equal(b->payload_len, len);
    assert_memory_equal(b->payload, content, len);
    assert_true(((uintptr_t)b->payload & 7) == 0);
    assert_true(b->position > t->last_position);
    t->last_position = b->position;
    t->read[t->n_read++] = id;
    if (b->key.key)
        snprintf(t->key, sizeof t->key, "%.*s=%.*s@%lld", (int)b->key.key_len, b->key.key,
                 (int)b->key.value_len, (const char *)b->key.value, (long long)b->key.expires_ms);
    return true;
}

static inline bool open_log(struct test *t, uint64_t needed_after)
{
    char dir[TEMP_DIR_SIZE + 8];
    snprintf(dir, sizeof dir, "%s/log", t->disk.dir);
    t->config = (struct segment_log_config){dir, &t->disk.files, t->config.segment_bytes,
                                            t->config.accept_damage};
    t->disk.files.self = &t->disk;
    t->n_read = 0;
    t->last_position = 0;
    t->log = segment_log_open(&t->config, &t->err);
    assert_non_null(t->log);
    struct log_reader reader = {take, t, needed_after};
    bool ok = segment_log_read(t->log, &reader, &t->err);
    if (ok)
        segment_log_continue_after(t->log, needed_after);
    return ok;
}

static inline void close_log(struct test *t)
{
    segment_log_close(t->log);
    t->log = NULL;
}

/* Append ids first .. first + n as one group. */
static inline bool append(struct test *t, uint64_t first, size_t n, size_t *written)
{
    struct block_write blocks[16];
    char content[16][CONTENT_MAX];
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        size_t len = content_of(first + i, content[i]);
        blocks[i] = (struct block_write){.payload = content[i],
                                         .payload_len = (uint32_t)len,
                                         .payload_checksum = checksum32(content[i], len)};
    }
    return segment_log_append(t->log, blocks, n, written, &t->err);
}

static inline void must_append(struct test *t, uint64_t first, size_t n)
{
    size_t written;
    if (!append(t, first, n, &written))
        fail_msg("%s", t->err.detail);
    assert_int_equal(written, n);
}

static inline void assert_read(const struct test *t, uint64_t first, uint64_t last)
{
    assert_int_equal(t->n_read, last - first + 1);
    for (size_t i = 0; i < t->n_read; i++)
        assert_int_equal(t->read[i], first + i);
}

static inline int set_up(void **state)
{
    struct test *t = mem_zero(1, sizeof *t);
    disk_init(&t->disk, 1);
    t->config.segment_bytes = 16 * 1024;
    *state = t;
    return 0;
}

static inline int tear_down(void **state)
{
    struct test *t = *state;
    segment_log_close(t->log);
    disk_release(&t->disk);
    free(t);
    return 0;
}

/* The path of the segment at place `i`. */
static inline void segment_file(const struct test *t, size_t i, char out[300])
{
    char command[300];
    snprintf(command, sizeof command, "ls %s/log/*.seg", t->disk.dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    for (size_t k = 0; k <= i; k++)
        assert_non_null(fgets(out, 300, f));
    pclose(f);
    out[strcspn(out, "\n")] = '\0';
}

#endif
