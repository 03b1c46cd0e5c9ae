/* The conformance suite on a Cluster, and what is a Cluster's own: slots, and that they move. */
#include "store/redis.h"

#include "support/conformance.h"
#include "support/redis_cluster.h"
#include "support/store_wait.h"

#include <stdio.h>
#include <string.h>

static struct test_cluster cluster;

static struct store *open_as(const char *node, const struct clock *clock, struct err *e)
{
    char url[256];
    test_cluster_url(&cluster, url, sizeof url);
    const struct redis_settings settings = {.url = url, .node = node};
    return store_redis_open(&settings, clock, e);
}

/* One for all tests: a directory that was not there before begins with an empty one. */
static struct store *open_cluster(const char *dir, const struct clock *clock, struct err *e)
{
    static char last[TEMP_DIR_SIZE];
    if (strcmp(dir, last) != 0 && !test_cluster_flush(&cluster))
        return NULL;
    snprintf(last, sizeof last, "%s", dir);
    return open_as("test", clock, e);
}

static struct store *open_empty(void)
{
    struct err e = {0};
    assert_true(test_cluster_flush(&cluster));
    struct store *s = open_as("one", &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("cannot open: %s", e.detail);
    return s;
}

static void close_it(struct store *s)
{
    s->ops->close(s);
}

/* Who has a slot at the start. */
static unsigned owner_of(unsigned slot)
{
    unsigned i = TEST_CLUSTER_MASTERS - 1;
    while (slot < i * 16384 / TEST_CLUSTER_MASTERS)
        i--;
    return i;
}

/* A record of each of these keys, in one append. */
static bool append(struct store *s, const char *const *keys, size_t n, struct err *e)
{
    struct series_record records[64];
    for (size_t i = 0; i < n; i++)
        records[i] = (struct series_record){keys[i], 1, "", "x", 1};
    struct series_append a = {.records = records, .n = n};
    bool ok = wait_append(s, &a);
    if (!ok)
        *e = a.err;
    return ok;
}

static bool count_one(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned count(struct store *s, const char *key)
{
    unsigned n = 0;
    struct series_read r = {.key = key, .each = count_one, .ctx = &n};
    if (!wait_read(s, &r))
        fail_msg("cannot read: %s", r.err.detail);
    return n;
}

static void slots_are_those_of_redis(void **state)
{
    (void)state;
    assert_int_equal(redis_slot("123456789"), 0x31c3);
    assert_int_equal(redis_slot("foo{bar}baz"), redis_slot("bar"));
    assert_int_equal(redis_slot("foo{}bar"), redis_slot("foo{}bar"));
    assert_int_not_equal(redis_slot("foo{}bar"), redis_slot(""));
    assert_int_equal(redis_slot("foo{{bar}}zap"), redis_slot("{bar"));
    char reply[32], text[32];
    assert_true(
        test_redis_ask(&cluster.nodes[0], "CLUSTER KEYSLOT paddock:{c}:meta", reply, sizeof reply));
    snprintf(text, sizeof text, ":%u\r\n", redis_slot(REDIS_CONTROL));
    assert_string_equal(reply, text);
}

static void series_are_spread_by_the_model(void **state)
{
    (void)state;
    struct store *s = open_empty();
    struct err e = {0};
    char texts[60][16];
    const char *keys[60];
    for (size_t i = 0; i < 60; i++) {
        snprintf(texts[i], sizeof texts[i], "t/%zu", i);
        keys[i] = texts[i];
    }
    if (!append(s, keys, 60, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(count(s, "t/*"), 60);
    for (unsigned i = 0; i < TEST_CLUSTER_MASTERS; i++)
        assert_false(test_redis_say(&cluster.nodes[i], "DBSIZE", ":0"));
    /* A key that ends in a bar has a tag, too, and one that looks like none. */
    const char *const odd[] = {"q/1/a/", "q/1//", "q/1/}/", "q/1/{x/"};
    if (!append(s, odd, 4, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(count(s, "q/*"), 4);
    const struct series_trim trim = {"q/*", 2};
    struct series_append gone = {.trims = &trim, .n_trims = 1};
    assert_true(wait_append(s, &gone));
    assert_int_equal(count(s, "q/*"), 0);
    close_it(s);
}

static void what_is_in_a_slot_that_moves_waits(void **state)
{
    (void)state;
    struct store *s = open_empty();
    struct err e = {0};
    const unsigned slot = redis_slot("{777}"), from = owner_of(slot), to = (from + 1) % 3;
    const char *const keys[] = {"t/1", "t/777", "z/cursor"}, *const other[] = {"t/2", "z/cursor"};
    assert_true(test_cluster_move_begin(&cluster, slot, from, to));
    assert_false(append(s, keys, 3, &e));
    assert_ptr_equal(e.kind, &ERR_IO);
    assert_non_null(strstr(e.detail, "on its way"));
    /* The last one says that the others are there, so it is not. */
    assert_int_equal(count(s, "z/cursor"), 0);
    if (!append(s, other, 2, &e))
        fail_msg("%s", e.detail);
    assert_true(test_cluster_move_end(&cluster, slot, from, to));
    if (!append(s, keys, 3, &e))
        fail_msg("%s", e.detail);
    assert_int_equal(count(s, "t/777"), 1);
    assert_true(test_redis_say(&cluster.nodes[to], "EXISTS paddock:{777}:i:t/777", ":1"));
    assert_true(test_redis_say(&cluster.nodes[to], "DEL paddock:{777}:i:t/777", ":1"));
    assert_true(test_cluster_flush(&cluster));
    assert_true(test_cluster_move_begin(&cluster, slot, to, from) &&
                test_cluster_move_end(&cluster, slot, to, from));
    close_it(s);
}

/* Only a node that holds its lease is told its number, so who has a smaller one is late; but for a
 * number that a failover lost, which is raised. */
static void a_late_writer_is_refused(void **state)
{
    (void)state;
    struct store *s = open_empty();
    struct err e = {0};
    const char *const keys[] = {"t/5"};
    const struct test_redis *node = &cluster.nodes[owner_of(redis_slot("{5}"))];
    assert_true(append(s, keys, 1, &e));
    assert_true(test_redis_say(node, "HGET paddock:{5}:writers one", "$1\r\n1"));
    assert_true(test_redis_say(node, "HSET paddock:{5}:writers one 99", ":0"));
    assert_false(append(s, keys, 1, &e));
    assert_non_null(strstr(e.detail, "later start"));
    assert_true(append(s, keys, 1, &e));
    assert_true(test_redis_say(node, "HGET paddock:{5}:writers one", "$3\r\n100"));
    struct store *later = open_as("one", &CLOCK_SYSTEM, &e);
    assert_non_null(later);
    assert_false(append(s, keys, 1, &e));
    assert_true(append(later, keys, 1, &e));
    assert_true(test_redis_say(node, "HGET paddock:{5}:writers one", "$3\r\n101"));
    close_it(later);
    close_it(s);
}

/* What says that something is done with must be there before that is taken away, wherever both lie.
 */
static void what_is_taken_away_goes_last(void **state)
{
    (void)state;
    struct store *s = open_empty();
    struct err e = {0};
    const char *const keys[] = {"q/6"};
    const struct series_record done = {"t/5", 1, "", "x", 1};
    const struct series_trim trim = {"q/6", INT64_MAX};
    struct series_append a = {.records = &done, .n = 1, .trims = &trim, .n_trims = 1};
    const struct test_redis *node = &cluster.nodes[owner_of(redis_slot("{5}"))];
    assert_true(append(s, keys, 1, &e));
    assert_true(test_redis_say(node, "HSET paddock:{5}:writers one 99", ":1"));
    assert_false(wait_append(s, &a)); /* its record is refused */
    assert_int_equal(count(s, "q/6"), 1);
    assert_true(wait_append(s, &a));
    assert_int_equal(count(s, "q/6"), 0);
    assert_int_equal(count(s, "t/5"), 1);
    close_it(s);
}

static void what_is_no_cluster_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    char url[64];
    snprintf(url, sizeof url, "redis://127.0.0.1:%u", cluster.nodes[0].port);
    const struct redis_settings settings = {.url = url, .node = "one"};
    assert_null(store_redis_open(&settings, &CLOCK_SYSTEM, &e));
    assert_non_null(strstr(e.detail, "redis+cluster://"));
}

int main(void)
{
    const struct backend backend = {"cluster", open_cluster, true};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_those_of_redis),
        cmocka_unit_test(series_are_spread_by_the_model),
        cmocka_unit_test(what_is_in_a_slot_that_moves_waits),
        cmocka_unit_test(a_late_writer_is_refused),
        cmocka_unit_test(what_is_taken_away_goes_last),
        cmocka_unit_test(what_is_no_cluster_is_refused),
    };
    if (!test_redis_there())
        return 77;
    int failed = !test_cluster_start(&cluster);
    if (!failed)
        failed = conformance_run(&backend) + cmocka_run_group_tests(tests, NULL, NULL);
    test_cluster_release(&cluster);
    return failed;
}
