/* Expected values: the formulas of the header written out in Python. False alarms and power over
 * whole experiments: tests/bench/experiments.c. */
#include "stats/mean_process.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <stdbool.h>

static struct moments of(uint64_t n, double mean, double variance)
{
    return (struct moments){n, mean, 0, 1, n > 0 ? variance * (double)(n - 1) : 0};
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-10 * fabs(expected));
}

static struct mean_process after_three(void)
{
    static const double rows[3][6] = {
        {40, .82, .148, 360, .90, .09},
        {80, .85, .13, 320, .91, .08},
        {10, .7, .21, 390, .88, .11},
    };
    struct mean_process p;
    mean_process_init(&p, 0.02, 0.05, 1000);
    for (size_t i = 0; i < 3; i++) {
        const double *r = rows[i];
        const struct moments c = of((uint64_t)r[0], r[1], r[2]), b = of((uint64_t)r[3], r[4], r[5]);
        mean_process_add(&p, &c, &b);
    }
    return p;
}

static void evidence_is_that_of_the_formula(void **state)
{
    (void)state;
    const struct mean_process p = after_three();
    assert_near(p.r, 22.46850283754145);
    assert_near(mean_process_log_e(&p, true, 0), -1.0909500585874905);
    assert_near(mean_process_log_e(&p, false, 0), 1.316673196555289);
    assert_near(mean_process_log_e(&p, false, 0.02), 0.8038892154356881);
    assert_near(mean_process_log_e(&p, true, -0.02), -0.9160207004210077);
    assert_near(mean_process_log_e(&p, false, -0.02), 1.9252023753429384);
    assert_near(mean_process_difference(&p), -0.07722095671981782);
    const struct interval all = mean_process_interval(&p, 0.95);
    assert_near(all.lo, -0.21905797556657908);
    assert_near(all.hi, 0.06461606212694343);
    assert_int_equal(p.candidate, 130);
    assert_near(p.candidate_sum, 40 * .82 + 80 * .85 + 7);
    assert_near(p.baseline_sum, 360 * .9 + 320 * .91 + 390 * .88);
}

static void few_scores_say_nothing(void **state)
{
    (void)state;
    struct mean_process p;
    mean_process_init(&p, 0.02, 0.05, 1000);
    assert_true(isnan(mean_process_difference(&p)));
    const struct moments c = of(29, 0, 0.1), b = of(500, 1, 0.1), none = {0}, one = of(1, 0, 0);
    mean_process_add(&p, &c, &b);
    assert_true(mean_process_log_e(&p, false, 0) == 0);
    assert_true(mean_process_interval(&p, 0.95).hi == INFINITY);
    /* A single score has no spread to go by: it waits for a second one, on both sides. */
    mean_process_add(&p, &one, &b);
    mean_process_add(&p, &none, &b);
    assert_int_equal(p.candidate, 29);
    mean_process_add(&p, &one, &none);
    assert_int_equal(p.candidate, 31);
    assert_int_equal(p.baseline, 1500);
    assert_true(mean_process_log_e(&p, false, 0) > 10);
    assert_true(mean_process_log_e(&p, true, 0) < -2);
}

static void scores_without_spread_are_not_certain(void **state)
{
    (void)state;
    struct mean_process p;
    mean_process_init(&p, 0.02, 0.05, 1000);
    const struct moments same = of(20, 1, 0);
    for (int i = 0; i < 2; i++)
        mean_process_add(&p, &same, &same);
    assert_true(isfinite(mean_process_log_e(&p, true, -0.02)));
    assert_true(mean_process_log_e(&p, true, -0.02) < log(20));
    for (int i = 0; i < 50; i++)
        mean_process_add(&p, &same, &same);
    assert_true(mean_process_log_e(&p, true, -0.02) > log(20));
    assert_true(mean_process_log_e(&p, true, 0) < 0);
}

/* A billion scores far away: nothing overflows. */
static void extremes_stay_finite(void **state)
{
    (void)state;
    struct mean_process p;
    mean_process_init(&p, 1e-6, 0.05, 1000);
    const struct moments c = of(1000000000, 1e6, 1), b = of(1000000000, -1e6, 1);
    mean_process_add(&p, &c, &b);
    assert_true(isfinite(mean_process_log_e(&p, true, 0)));
    assert_true(isfinite(mean_process_log_e(&p, false, 0)));
    assert_true(mean_process_log_e(&p, false, 0) < mean_process_log_e(&p, true, 0));
}

/* The candidate's part of the traffic grows while everybody's scores fall: pooled, it looks worse
 * by far. */
static int alarms(double drop, int runs)
{
    uint64_t seed = 77;
    int found = 0;
    for (int run = 0; run < runs; run++) {
        struct mean_process p;
        bool alarmed = false;
        mean_process_init(&p, 0.02, 0.05, 1000);
        for (int look = 0; look < 100; look++) {
            struct moments c = {0}, b = {0};
            for (int i = 0; i < 60; i++) {
                const bool mine = i < 2 + look / 3;
                const double mean = 0.9 - 0.004 * look - (mine ? drop : 0);
                moments_add(mine ? &c : &b, random_uniform(&seed) < mean);
            }
            mean_process_add(&p, &c, &b);
            alarmed |= mean_process_log_e(&p, false, 0) >= log(20);
        }
        found += alarmed;
    }
    return found;
}

static void drift_and_growing_shares_deceive_nobody(void **state)
{
    (void)state;
    assert_true(alarms(0, 300) <= 15);
    assert_true(alarms(0.1, 100) >= 95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_is_that_of_the_formula),
        cmocka_unit_test(few_scores_say_nothing),
        cmocka_unit_test(scores_without_spread_are_not_certain),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(drift_and_growing_shares_deceive_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
