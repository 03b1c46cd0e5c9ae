/* The log on a disk that fails or stops: what was acknowledged is there, what was refused is not.
 */
#include "disk.h"

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
        TEST(test_failed_sync), TEST(test_full_disk),  TEST(test_part_of_a_group),
        TEST(test_crashes),     TEST(test_lying_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
