/* The log as it is written and read: segments, positions, release, damage. */
#include "disk.h"

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

/* Small groups have zeros written behind them, once for many of them; a large one has none. */
static void test_zeros_behind(void **state)
{
    struct test *t = *state;
    static const char large[100000];
    const size_t ahead = 512 << 10, room = 2 * ahead;
    size_t written, times = 0, groups = 0, next = 1;
    off_t filled = 0;
    t->config.segment_bytes = room;
    assert_true(open_log(t, 0));
    for (; segment_log_segments(t->log) < 2; next += 16, groups++) {
        must_append(t, next, 16);
        times += t->disk.reached > filled;
        filled = t->disk.reached > filled ? t->disk.reached : filled;
        assert_true(filled <= (off_t)room);
    }
    assert_int_equal(filled, room);
    assert_int_equal(times, 2);
    assert_true(groups > 10 * times);
    close_log(t);
    assert_true(open_log(t, 0));
    assert_read(t, 1, next - 1);
    struct block_write b = {.payload = large,
                            .payload_len = sizeof large,
                            .payload_checksum = checksum32(large, sizeof large)};
    assert_true(segment_log_append(t->log, &b, 1, &written, &t->err));
    assert_true(t->disk.reached < (off_t)sizeof large + 1000);
}

/* What a large group wrote, and nobody will read, does not fill the memory. */
static void test_large_groups_are_forgotten(void **state)
{
    struct test *t = *state;
    static const char large[100000];
    const struct block_write block = {.payload = large,
                                      .payload_len = sizeof large,
                                      .payload_checksum = checksum32(large, sizeof large)};
    struct block_write blocks[] = {block, block};
    size_t written;
    t->config.segment_bytes = 1 << 20;
    assert_true(open_log(t, 0));
    must_append(t, 1, 16);
    assert_int_equal(t->disk.forgotten, 0);
    assert_true(segment_log_append(t->log, blocks, 2, &written, &t->err));
    assert_in_range(t->disk.forgotten, 2 * sizeof large, 2 * sizeof large + 1000);
    assert_int_equal(t->disk.forgotten_to, t->disk.reached);
    t->disk.fail_syncs = 0; /* what is not durable is not forgotten */
    assert_false(segment_log_append(t->log, blocks, 2, &written, &t->err));
    assert_in_range(t->disk.forgotten, 2 * sizeof large, 2 * sizeof large + 1000);
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
        TEST(test_zeros_behind),
        TEST(test_large_groups_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
