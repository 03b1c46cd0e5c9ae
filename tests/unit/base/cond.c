#include "base/cond.h"

#include "support/unit.h"

#include <errno.h>

static int64_t ms_of(struct timespec t)
{
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return ms_of(t);
}

static void test_until(void **state)
{
    (void)state;
    static const int64_t spans[] = {0, 1, 999, 1000, 1999, 60000};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        int64_t before = now_ms();
        struct timespec t = cond_until(spans[i]);
        assert_in_range(ms_of(t), before + spans[i], now_ms() + spans[i]);
        assert_in_range(t.tv_nsec, 0, 999999999);
    }
}

/* By the wall clock such a moment would have been in 1970: the wait would end at once. */
static void test_wait(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c;
    cond_init(&c);
    int64_t begun = now_ms();
    struct timespec until = cond_until(20);
    pthread_mutex_lock(&lock);
    int result;
    do
        result = pthread_cond_timedwait(&c, &lock, &until);
    while (result == 0);
    pthread_mutex_unlock(&lock);
    assert_int_equal(result, ETIMEDOUT);
    assert_in_range(now_ms() - begun, 19, 10000);
    pthread_cond_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
