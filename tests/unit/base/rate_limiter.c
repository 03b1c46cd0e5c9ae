/* Buckets fill at their rate and hold their burst, for one thread and for many. */
#include "support/unit.h"

#include "base/rate_limiter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SECOND 1000000000LL

static int64_t take(struct rate_limiter *r, const char *name, double rate, double burst,
                    int64_t now)
{
    return rate_limiter_take(r, rate_limiter_key(r, 1, name, strlen(name)), rate, burst, now);
}

static void test_burst_then_rate(void **state)
{
    (void)state;
    struct rate_limiter *r = rate_limiter_new(64);
    int64_t now = 5 * SECOND;
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(r, "a", 10, 3, now), 0);
    assert_int_equal(take(r, "a", 10, 3, now), SECOND / 10);
    assert_int_equal(take(r, "a", 10, 3, now + SECOND / 20), SECOND / 20);
    assert_int_equal(take(r, "b", 10, 3, now), 0); /* another's bucket */
    assert_int_equal(take(r, "a", 10, 3, now + SECOND / 10), 0);
    assert_int_not_equal(take(r, "a", 10, 3, now + SECOND / 10), 0);
    for (int i = 0; i < 3; i++) /* it never holds more than its burst */
        assert_int_equal(take(r, "a", 10, 3, now + 100 * SECOND), 0);
    assert_int_not_equal(take(r, "a", 10, 3, now + 100 * SECOND), 0);
    rate_limiter_free(r);
}

static void test_extremes(void **state)
{
    (void)state;
    struct rate_limiter *r = rate_limiter_new(0);
    assert_int_equal(take(r, "slow", 1e-30, 1, 1), 0);
    assert_true(take(r, "slow", 1e-30, 1, 1) > 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(take(r, "quick", 1e12, 1e12, 1), 0);
    assert_int_equal(take(r, "no burst", 1, 0, 1), 0); /* a bucket of nothing would serve nobody */
    assert_int_equal(take(r, "no burst", 1, 0, 1), SECOND);
    rate_limiter_free(r);
    rate_limiter_free(NULL);
}

static void test_wait_takes_nothing(void **state)
{
    (void)state;
    struct rate_limiter *r = rate_limiter_new(64);
    uint64_t key = rate_limiter_key(r, 2, "x", 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_limiter_wait(r, key, 1, 2, SECOND), 0);
    assert_int_equal(rate_limiter_take(r, key, 1, 2, SECOND), 0);
    assert_int_equal(rate_limiter_wait(r, key, 1, 2, SECOND), 0);
    assert_int_equal(rate_limiter_take(r, key, 1, 2, SECOND), 0);
    assert_int_equal(rate_limiter_wait(r, key, 1, 2, SECOND), SECOND);
    assert_int_not_equal(rate_limiter_key(r, 1, "x", 1), key);
    rate_limiter_free(r);
}

static void test_marks(void **state)
{
    (void)state;
    struct rate_limiter *r = rate_limiter_new(64);
    uint64_t key = rate_limiter_key(r, 3, "m", 1);
    assert_int_equal(rate_limiter_marked(r, key, 0), 0);
    rate_limiter_mark(r, key, 100, 0);
    rate_limiter_mark(r, key, 50, 0); /* a shorter one changes nothing */
    assert_int_equal(rate_limiter_marked(r, key, 40), 60);
    assert_int_equal(rate_limiter_marked(r, key, 100), 0);
    rate_limiter_mark(r, key, 100, 100); /* over before it began */
    assert_int_equal(rate_limiter_marked(r, key, 100), 0);
    rate_limiter_free(r);
}

/* More keys than places: nobody is limited who did nothing, and who is limited now stays so as long
 * as its place is not the one nearest to full. */
static void test_bounded(void **state)
{
    (void)state;
    struct rate_limiter *r = rate_limiter_new(64);
    uint64_t heavy = rate_limiter_key(r, 1, "heavy", 5);
    rate_limiter_mark(r, heavy, 1000 * SECOND, 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t key = rate_limiter_key(r, 1, &i, sizeof i);
        assert_int_equal(rate_limiter_take(r, key, 10, 1, i), 0);
    }
    assert_int_equal(rate_limiter_marked(r, heavy, 0), 1000 * SECOND);
    rate_limiter_free(r);
}

static struct rate_limiter *shared;
static atomic_uint granted;

static void *hammer(void *arg)
{
    (void)arg;
    uint64_t key = rate_limiter_key(shared, 1, "shared", 6);
    for (int i = 0; i < 20000; i++) {
        if (rate_limiter_take(shared, key, 1, 1000, SECOND) == 0)
            atomic_fetch_add(&granted, 1);
        (void)rate_limiter_take(shared, rate_limiter_key(shared, 2, &i, sizeof i), 1, 1, SECOND);
    }
    return NULL;
}

/* Four threads, one bucket: as many are granted as it holds, while other keys come and go. */
static void test_exact_over_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    shared = rate_limiter_new(4096);
    atomic_store(&granted, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&granted), 1000);
    rate_limiter_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_wait_takes_nothing),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_exact_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
