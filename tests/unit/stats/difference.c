/* Thousands of answers are compared with SciPy's by tests/e2e/statistics_scipy.py; here are the
 * edges. */
#include "stats/difference.h"

#include "support/unit.h"

#include <math.h>

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 1e-9 * fabs(expected);
}

/* scipy.stats.ttest_ind_from_stats(10, 2, 30, 9, 3, 40, equal_var=False) */
static void welch_is_scipys(void **state)
{
    (void)state;
    const struct sample a = {30, 10, 4}, b = {40, 9, 9};
    const struct difference d = mean_difference(&a, &b, 0.95);
    assert_true(d.estimate == 1 && near(d.p, 0.09946541117633101));
    assert_true(d.interval.lo < 0 && d.interval.hi > 2);
    const struct difference back = mean_difference(&b, &a, 0.95);
    assert_true(back.p == d.p && back.interval.lo == -d.interval.hi);
}

static void too_little_says_nothing(void **state)
{
    (void)state;
    const struct sample one = {1, 5, 0}, many = {10, 6, 1};
    const struct difference d = mean_difference(&one, &many, 0.95);
    assert_true(d.estimate == -1 && d.p == 1 && d.interval.lo == -INFINITY);
    assert_true(paired_difference(&one, 0.95).p == 1);
    assert_true(single_difference(1, 2, &one, 0.95).p == 1);
    assert_true(proportion_difference(0, 0, 1, 2, 0.95).p == 1);
}

static void without_variance_it_is_all_or_nothing(void **state)
{
    (void)state;
    const struct sample a = {5, 1, 0}, b = {5, 2, 0};
    assert_true(mean_difference(&a, &a, 0.95).p == 1);
    const struct difference d = mean_difference(&a, &b, 0.95);
    assert_true(d.p == 0 && d.interval.lo == -1 && d.interval.hi == -1);
}

static void proportions_down_to_zero(void **state)
{
    (void)state;
    struct difference d = proportion_difference(0, 10, 0, 20, 0.95);
    assert_true(d.estimate == 0 && d.p == 1 && d.interval.lo < 0 && d.interval.hi > 0);
    d = proportion_difference(10, 10, 20, 20, 0.95);
    assert_true(d.estimate == 0 && d.p == 1);
    assert_true(near(fisher_exact(3, 10, 9, 10), 0.019766611097880443));
    assert_true(fisher_exact(0, 5, 0, 5) == 1 && fisher_exact(5, 5, 5, 5) == 1);
}

static void mcnemar_counts_those_who_disagree(void **state)
{
    (void)state;
    struct mcnemar m = mcnemar(0, 0, 100, 0.95);
    assert_true(m.p_exact == 1 && m.p_corrected == 1 && m.difference == 0);
    m = mcnemar(3, 12, 100, 0.95);
    assert_true(near(m.p_exact, 0.03515625) && m.difference == -0.09);
    assert_true(m.interval.lo < -0.09 && m.interval.hi > -0.09 && m.interval.hi < 0);
    m = mcnemar(0, 0, 0, 0.95);
    assert_true(m.p_exact == 1 && m.interval.lo == -1 && m.interval.hi == 1);
    m = mcnemar(5, 5, 10, 0.95);
    assert_true(m.p_exact == 1 && m.p_corrected == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welch_is_scipys),
        cmocka_unit_test(too_little_says_nothing),
        cmocka_unit_test(without_variance_it_is_all_or_nothing),
        cmocka_unit_test(proportions_down_to_zero),
        cmocka_unit_test(mcnemar_counts_those_who_disagree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
