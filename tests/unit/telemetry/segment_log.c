/* The log on a disk that can stop at any moment. The disk here is a real directory behind a table
 * of functions that notes what was written and what was made durable; a crash sets every 512 bytes
 * that were not durable to what they were or to what they should have become, at random. */
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
    size_t n_undo;
    char unsynced_names[16][200]; /* files that the directory does not hold for sure */
    size_t n_names;
    char path_of[64][200];                       /* by descriptor */
    int fail_writes, fail_syncs, fail_truncates; /* so many calls from now fail; -1: none */
    char created[200]; /* the last file that was made: no other is ever cut while writing */
    int wrong_cuts;
    uint64_t seed;
};

static bool runs_out(int *left)
{
    if (*left < 0)
        return false;
    if (*left == 0)
        return true;
    --*left;
    return false;
}

static int disk_create(void *self, const char *path, size_t bytes)
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

static void note_sector(struct disk *d, const char *path, int fd, off_t at)
{
    struct undo *u;
    d->undo = mem_resize(d->undo, d->n_undo + 1, sizeof *d->undo);
    u = &d->undo[d->n_undo++];
    snprintf(u->path, sizeof u->path, "%s", path);
    u->at = at;
    ssize_t n = pread(fd, u->data, SECTOR, at);
    u->len = n > 0 ? (size_t)n : 0;
}

static ssize_t disk_pwritev(void *self, int fd, const struct iovec *parts, int n, off_t at)
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
    /* Short writes are part of life. */
    if (n > 1 && random_u64(&d->seed) % 4 == 0)
        n = 1;
    return pwritev(fd, parts, n, at);
}

static int disk_fdatasync(void *self, int fd)
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

static int disk_sync_dir(void *self, const char *path)
{
    struct disk *d = self;
    (void)path;
    d->n_names = 0;
    return 0;
}

static int disk_truncate(void *self, const char *path, off_t len)
{
    struct disk *d = self;
    d->wrong_cuts += *d->created && strcmp(path, d->created) != 0;
    if (runs_out(&d->fail_truncates)) {
        errno = EIO;
        return -1;
    }
    return truncate(path, len);
}

static int disk_unlink(void *self, const char *path)
{
    (void)self;
    return unlink(path);
}

static void disk_init(struct disk *d, uint64_t seed)
{
    *d = (struct disk){.files = {.create = disk_create,
                                 .pwritev = disk_pwritev,
                                 .fdatasync = disk_fdatasync,
                                 .sync_dir = disk_sync_dir,
                                 .truncate = disk_truncate,
                                 .unlink = disk_unlink},
                       .fail_writes = -1,
                       .fail_syncs = -1,
                       .fail_truncates = -1,
                       .seed = seed};
    temp_dir_make_fast(d->dir);
}

static void disk_release(struct disk *d)
{
    free(d->undo);
    temp_dir_remove(d->dir);
}

/* The machine stops: what was not durable is there or not, sector by sector. */
static void disk_crash(struct disk *d)
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

static size_t content_of(uint64_t id, char out[CONTENT_MAX])
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

static bool take(void *ctx, const struct block_read *b, struct err *e)
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

static bool open_log(struct test *t, uint64_t needed_after)
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

static void close_log(struct test *t)
{
    segment_log_close(t->log);
    t->log = NULL;
}

/* Append ids first .. first + n as one group. */
static bool append(struct test *t, uint64_t first, size_t n, size_t *written)
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

static void must_append(struct test *t, uint64_t first, size_t n)
{
    size_t written;
    if (!append(t, first, n, &written))
        fail_msg("%s", t->err.detail);
    assert_int_equal(written, n);
}

static void assert_read(const struct test *t, uint64_t first, uint64_t last)
{
    assert_int_equal(t->n_read, last - first + 1);
    for (size_t i = 0; i < t->n_read; i++)
        assert_int_equal(t->read[i], first + i);
}

static int set_up(void **state)
{
    struct test *t = mem_zero(1, sizeof *t);
    disk_init(&t->disk, 1);
    t->config.segment_bytes = 16 * 1024;
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct test *t = *state;
    segment_log_close(t->log);
    disk_release(&t->disk);
    free(t);
    return 0;
}

/* The path of the segment at place `i`. */
static void segment_file(const struct test *t, size_t i, char out[300])
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

/* --- tests --- */

static void test_empty(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    assert_int_equal(t->n_read, 0);
    assert_int_equal(segment_log_segments(t->log), 0);
    close_log(t);
    assert_true(open_log(t, 0));
}

static void test_append_and_read(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    must_append(t, 1, 10);
    must_append(t, 11, 3);
    assert_true(segment_log_last(t->log) >= 13);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, 13);
    must_append(t, 14, 1);
    for (uint64_t id = 15; id < 100; id += 5)
        must_append(t, id, 5);
    assert_true(segment_log_segments(t->log) > 3);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, 99);
}

static void test_larger_than_a_segment(void **state)
{
    struct test *t = *state;
    t->config.segment_bytes = 256;
    assert_true(open_log(t, 0));
    for (uint64_t id = 1; id <= 30; id++)
        must_append(t, id, 1);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, 30);
}

static void test_keys(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    char content[CONTENT_MAX];
    size_t len = content_of(1, content), written;
    struct block_key key = {"t/ns/path/k1", 12, "answer", 6, 12345};
    struct block_write b = {.payload = content,
                            .payload_len = (uint32_t)len,
                            .payload_checksum = checksum32(content, len)};
    char *part = block_key_encode(&key, &b.key_len);
    b.key_part = part;
    assert_true(segment_log_append(t->log, &b, 1, &written, &t->err));
    free(part);
    must_append(t, 2, 1);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, 2);
    assert_string_equal(t->key, "t/ns/path/k1=answer@12345");
}

static void test_release(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    for (uint64_t id = 1; id <= 60; id++)
        must_append(t, id, 1);
    uint64_t before = segment_log_segments(t->log), bytes = segment_log_bytes(t->log);
    segment_log_release(t->log, 30);
    assert_true(segment_log_segments(t->log) < before && segment_log_bytes(t->log) < bytes);
    assert_true(segment_log_first(t->log) <= 31);
    uint64_t first = segment_log_first(t->log);
    close_log(t);
    assert_true(open_log(t, 30));
    assert_read(t, first, 60);
    segment_log_release(t->log, 1000); /* the last one stays */
    assert_int_equal(segment_log_segments(t->log), 1);
    close_log(t);
    /* Had block 31 and what follows not been rolled up, their loss is noticed. */
    assert_false(open_log(t, 30));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
}

struct releasing {
    struct segment_log *log;
    atomic_bool stop;
};

static void *keep_releasing(void *arg)
{
    struct releasing *r = arg;
    while (!atomic_load(&r->stop))
        segment_log_release(r->log, segment_log_last(r->log));
    return NULL;
}

/* Roll-ups release segments while the writer goes from one to the next: it must never cut or drop
 * another than its own. */
static void test_release_while_writing(void **state)
{
    struct test *t = *state;
    struct releasing r;
    pthread_t thread;
    t->config.segment_bytes = 4096;
    assert_true(open_log(t, 0));
    must_append(t, 1, 1);
    r.log = t->log;
    atomic_init(&r.stop, false);
    assert_int_equal(pthread_create(&thread, NULL, keep_releasing, &r), 0);
    for (uint64_t id = 2; id <= 1500; id++)
        must_append(t, id, 1);
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(t->disk.wrong_cuts, 0);
}

/* Positions that the store knows are never used again, even if the log is gone. */
static void test_log_gone(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    must_append(t, 1, 5);
    close_log(t);
    char path[300];
    segment_file(t, 0, path);
    assert_int_equal(unlink(path), 0);
    assert_true(open_log(t, 5));
    must_append(t, 6, 1);
    assert_int_equal(segment_log_last(t->log), 6);
    close_log(t);
    assert_true(open_log(t, 5));
    assert_read(t, 6, 6);
    close_log(t);
    assert_true(open_log(t, 100)); /* the store is ahead */
    must_append(t, 7, 1);
    assert_int_equal(segment_log_last(t->log), 101);
    close_log(t);
    assert_true(open_log(t, 100));
    assert_read(t, 6, 7);
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c = 0;
    assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 0x10;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

/* A bit lost in the middle: refused with file and offset, or accepted and told. */
static void test_damage(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    for (uint64_t id = 1; id <= 3; id++)
        must_append(t, id, 1);
    close_log(t);
    char path[300], where[400];
    segment_file(t, 0, path);
    flip(path, SEGMENT_HEAD_SIZE + BLOCK_HEAD_SIZE + 3);
    assert_false(open_log(t, 0));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
    snprintf(where, sizeof where, "'%s' at byte 64: blocks 1 to 1 ", path);
    assert_non_null(strstr(t->err.detail, where));
    close_log(t);
    assert_true(open_log(t, 1)); /* it is in the store already */
    assert_read(t, 2, 3);
    close_log(t);
    t->config.accept_damage = true;
    assert_true(open_log(t, 0));
    assert_read(t, 2, 3);
}

/* The same in the last block: nothing proves that it had been durable. */
static void test_damaged_end(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    must_append(t, 1, 1);
    must_append(t, 2, 4);
    close_log(t);
    char path[300], content[CONTENT_MAX];
    segment_file(t, 0, path);
    size_t at = SEGMENT_HEAD_SIZE + BLOCK_HEAD_SIZE + content_of(1, content) + BLOCK_HEAD_SIZE + 9;
    flip(path, (off_t)at); /* block 2; 3 to 5 are whole, but of the same group */
    assert_true(open_log(t, 0));
    assert_read(t, 1, 1);
    must_append(t, 50, 1);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_int_equal(t->n_read, 2);
    assert_int_equal(t->read[1], 50);
}

static void test_damage_between_segments(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    for (uint64_t id = 1; id <= 60; id++)
        must_append(t, id, 1);
    close_log(t);
    char path[300];
    struct stat st;
    segment_file(t, 0, path);
    assert_int_equal(stat(path, &st), 0);
    flip(path,
         st.st_size - 1 - 100); /* in the last block of the first segment, or shortly before */
    assert_false(open_log(t, 0));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
    close_log(t);
    flip(path, st.st_size - 1 - 100);
    flip(path, 17); /* its head */
    assert_false(open_log(t, 0));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
    close_log(t);
    assert_int_equal(unlink(path), 0);
    assert_false(open_log(t, 0));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
}

/* Damage in the last segment's head is damage, if the segment holds anything. */
static void test_damaged_head(void **state)
{
    struct test *t = *state;
    assert_true(open_log(t, 0));
    must_append(t, 1, 2);
    close_log(t);
    char path[300];
    segment_file(t, 0, path);
    flip(path, 9);
    assert_false(open_log(t, 0));
    assert_ptr_equal(t->err.kind, &ERR_CORRUPT);
}

/* After a failed fdatasync the segment is given up; what failed is not there, now or later. */
static void test_failed_sync(void **state)
{
    struct test *t = *state;
    size_t written;
    for (int truncates = -1; truncates <= 0; truncates++) {
        assert_true(open_log(t, 0));
        must_append(t, 1, 3);
        t->disk.fail_syncs = 0;
        t->disk.fail_truncates = truncates;
        assert_false(append(t, 4, 2, &written));
        assert_ptr_equal(t->err.kind, &ERR_IO);
        assert_int_equal(written, 0);
        assert_false(append(t, 4, 2, &written)); /* making a new segment fails as well */
        t->disk.fail_syncs = -1;
        must_append(t, 6, 2);
        t->disk.fail_truncates = -1;
        close_log(t);
        assert_true(open_log(t, 0));
        assert_int_equal(t->n_read, 5);
        assert_int_equal(t->read[3], 6);
        close_log(t);
        char command[300];
        snprintf(command, sizeof command, "rm -r %s/log", t->disk.dir);
        FILE *f = popen(command, "r");
        pclose(f);
    }
}

static void test_full_disk(void **state)
{
    struct test *t = *state;
    size_t written;
    assert_true(open_log(t, 0));
    must_append(t, 1, 2);
    t->disk.fail_writes = 0;
    for (int i = 0; i < 3; i++)
        assert_false(append(t, 3, 2, &written));
    t->disk.fail_writes = -1;
    must_append(t, 3, 2);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, 4);
}

/* A group that needs two segments, of which the second cannot be made: the first part counts. */
static void test_part_of_a_group(void **state)
{
    struct test *t = *state;
    size_t written;
    t->config.segment_bytes = 8 * 1024;
    assert_true(open_log(t, 0));
    t->disk.fail_syncs = 2; /* the head, the first part */
    assert_false(append(t, 1, 16, &written));
    t->disk.fail_syncs = -1;
    assert_true(written > 0 && written < 16);
    uint64_t last = segment_log_last(t->log);
    assert_int_equal(last, written);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, written);
}

/* Crash after crash: what was acknowledged is there, once and in order; what was not may be there
 * in part, but each block whole. */
static void test_crashes(void **state)
{
    struct test *t = *state;
    static uint64_t acknowledged[IDS_MAX];
    size_t n = 0, torn = 0;
    uint64_t id = 1;
    t->disk.seed = 7;
    for (int round = 0; round < 60; round++) {
        if (!open_log(t, 0))
            fail_msg("round %d: %s", round, t->err.detail);
        size_t at = 0;
        for (size_t i = 0; i < n; i++) {
            while (at < t->n_read && t->read[at] != acknowledged[i])
                at++;
            if (at++ == t->n_read)
                fail_msg("round %d: %llu is lost", round, (unsigned long long)acknowledged[i]);
        }
        memcpy(acknowledged, t->read, t->n_read * sizeof *acknowledged);
        n = t->n_read;
        int appends = (int)(random_u64(&t->disk.seed) % 6);
        for (int i = 0; i < appends; i++) {
            size_t blocks = 1 + random_u64(&t->disk.seed) % 8, written;
            /* The machine stops in the middle of one of the writes. */
            if (random_u64(&t->disk.seed) % 8 == 0)
                t->disk.fail_syncs = (int)(random_u64(&t->disk.seed) % 2);
            bool ok = append(t, id, blocks, &written);
            for (size_t k = 0; k < written; k++)
                acknowledged[n++] = id + k;
            id += blocks;
            if (!ok) {
                torn++;
                break;
            }
        }
        t->disk.fail_syncs = -1;
        close_log(t);
        disk_crash(&t->disk);
    }
    assert_true(torn > 5 && n > 100);
}

/* The same with an fdatasync that does nothing: then the loss is seen, so the test above can fail.
 */
static int no_fdatasync(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static void test_lying_disk(void **state)
{
    struct test *t = *state;
    size_t lost = 0;
    t->disk.files.fdatasync = no_fdatasync;
    for (uint64_t id = 1; id < 200 && !lost; id += 10) {
        assert_true(open_log(t, 0));
        must_append(t, id, 4);
        close_log(t);
        disk_crash(&t->disk);
        if (!open_log(t, 0) || t->n_read == 0 || t->read[t->n_read - 1] != id + 3)
            lost++;
        close_log(t);
    }
    assert_true(lost > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_append_and_read),
        TEST(test_larger_than_a_segment),
        TEST(test_keys),
        TEST(test_release),
        TEST(test_release_while_writing),
        TEST(test_log_gone),
        TEST(test_damage),
        TEST(test_damaged_end),
        TEST(test_damage_between_segments),
        TEST(test_damaged_head),
        TEST(test_failed_sync),
        TEST(test_full_disk),
        TEST(test_part_of_a_group),
        TEST(test_crashes),
        TEST(test_lying_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
