#include "selection/breaker.h"

#include "support/unit.h"

#define NOW 1700000000000

static void few_or_few_failures_change_nothing(void **state)
{
    (void)state;
    struct breaker_model m = {0};
    assert_false(breaker_step(&m, 19, 19, NOW));
    assert_false(breaker_step(&m, 1000, 499, NOW));
    assert_false(breaker_step(&m, 0, 0, NOW));
    assert_int_equal(m.state, BREAKER_CLOSED);
    assert_true(breaker_from(&m, NOW) == NOW - BREAKER_WINDOW_MS);
}

static void opens_probes_and_closes(void **state)
{
    (void)state;
    struct breaker_model m = {0};
    assert_true(breaker_step(&m, 20, 10, NOW));
    assert_int_equal(m.state, BREAKER_OPEN);
    assert_false(breaker_step(&m, 100, 0, NOW + BREAKER_WAIT_MS - 1)); /* whatever still comes */
    assert_true(breaker_step(&m, 0, 0, NOW + BREAKER_WAIT_MS));
    assert_int_equal(m.state, BREAKER_HALF);
    int64_t half = NOW + BREAKER_WAIT_MS;
    assert_true(breaker_from(&m, half + 60000) > half); /* nothing from before counts */
    assert_false(breaker_step(&m, 4, 4, half + 6000));  /* not decided yet */
    assert_true(breaker_step(&m, 5, 1, half + 7000));
    assert_int_equal(m.state, BREAKER_CLOSED);
    assert_true(breaker_from(&m, half + 7001) > half + 7000); /* a fresh start */
}

static void failing_probes_wait_longer(void **state)
{
    (void)state;
    struct breaker_model m = {0};
    int64_t now = NOW, wait = BREAKER_WAIT_MS;
    assert_true(breaker_step(&m, 20, 20, now));
    for (int i = 0; i < 8; i++) {
        assert_false(breaker_step(&m, 0, 0, now + wait - 1));
        now += wait;
        assert_true(breaker_step(&m, 0, 0, now));
        assert_true(breaker_step(&m, 5, 5, ++now));
        wait = 2 * wait > BREAKER_WAIT_MAX_MS ? BREAKER_WAIT_MAX_MS : 2 * wait;
        assert_true(m.state == BREAKER_OPEN && m.wait_ms == wait);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_or_few_failures_change_nothing),
        cmocka_unit_test(opens_probes_and_closes),
        cmocka_unit_test(failing_probes_wait_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
