/* Connections are counted by address, from many threads, and a full address is no other's burden.
 */
#include "support/unit.h"

#include "http/crowd.h"

#include <pthread.h>
#include <stdatomic.h>

static void test_cap(void **state)
{
    (void)state;
    struct crowd *c = crowd_new();
    for (int i = 0; i < 3; i++)
        assert_true(crowd_enter(c, 7, 3));
    assert_false(crowd_enter(c, 7, 3));
    assert_false(crowd_enter(c, 7, 3)); /* what was refused is not counted */
    crowd_leave(c, 7);
    assert_true(crowd_enter(c, 7, 3));
    crowd_free(c);
    crowd_free(NULL);
}

/* 10,000 from one address, and a thousand others with one each. */
static void test_others(void **state)
{
    (void)state;
    struct crowd *c = crowd_new();
    unsigned refused = 0;
    for (int i = 0; i < 10000; i++)
        assert_true(crowd_enter(c, 1, 10000));
    for (uint64_t a = 2; a < 1002; a++)
        refused += !crowd_enter(c, a, 10000);
    assert_in_range(refused, 0,
                    1); /* one that shares both counters is a chance of 4 in a million */
    crowd_free(c);
}

static struct crowd *shared;
static atomic_int inside, most;

static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        if (!crowd_enter(shared, 42, 2))
            continue;
        int now = atomic_fetch_add(&inside, 1) + 1, before = atomic_load(&most);
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
            ;
        atomic_fetch_sub(&inside, 1);
        crowd_leave(shared, 42);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    shared = crowd_new();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(atomic_load(&most), 1, 2);
    assert_true(crowd_enter(shared, 42, 1)); /* all have left */
    crowd_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
