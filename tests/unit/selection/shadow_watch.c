/* When a shadow is silent: the pure step. The thread and the alert are tests/e2e/shadows.sh. */
#include "support/unit.h"

#include "selection/shadow_watch.h"

#define NOW    1700000000000
#define WINDOW 600000

static enum shadow_turn step(struct shadow_seen *s, uint64_t asked, uint64_t reported, double share,
                             int64_t at)
{
    const struct shadow_figures now = {.asked = asked, .named = asked, .reported = reported};
    return shadow_step(s, &now, share, NOW + at, WINDOW);
}

static void silence_takes_time_and_decisions(void **state)
{
    (void)state;
    struct shadow_seen s = {.since_ms = NOW};
    assert_int_equal(step(&s, 100000, 0, 1, WINDOW - 1), SHADOW_WAITING); /* not long enough */
    assert_int_equal(step(&s, 999, 0, 0.1, WINDOW), SHADOW_WAITING);      /* 99.9 expected */
    assert_int_equal(step(&s, 1000, 0, 0.1, WINDOW), SHADOW_SILENT);
    assert_int_equal(step(&s, 2000, 0, 0.1, 2 * WINDOW - 1), SHADOW_WAITING); /* begins anew */
    assert_int_equal(step(&s, 2000, 0, 0.1, 2 * WINDOW), SHADOW_SILENT);
}

static void one_report_is_enough(void **state)
{
    (void)state;
    struct shadow_seen s = {.since_ms = NOW};
    assert_int_equal(step(&s, 5000, 1, 1, 10), SHADOW_HEARD);
    assert_int_equal(step(&s, 5000, 1, 1, 10 + WINDOW), SHADOW_WAITING); /* nobody asked since */
    assert_int_equal(step(&s, 5100, 1, 1, 10 + WINDOW), SHADOW_SILENT);
    assert_int_equal(step(&s, 5200, 2, 1, 20 + 2 * WINDOW), SHADOW_HEARD);
}

static void nobody_asked_is_no_silence(void **state)
{
    (void)state;
    struct shadow_seen s = {.since_ms = NOW};
    assert_int_equal(step(&s, 0, 0, 1, 100 * WINDOW), SHADOW_WAITING);
}

static void keys(void **state)
{
    (void)state;
    struct arena *a = arena_new(4096);
    assert_string_equal(shadow_alert_key(a, "nba", "m@canary"), "shadow_silent:nba/m@canary");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_takes_time_and_decisions),
        cmocka_unit_test(one_report_is_enough),
        cmocka_unit_test(nobody_asked_is_no_silence),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
