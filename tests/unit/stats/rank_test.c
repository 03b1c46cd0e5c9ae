/* Many more answers are compared with SciPy's by tests/e2e/statistics_scipy.py. */
#include "stats/rank_test.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>

static void small_samples_are_exact(void **state)
{
    (void)state;
    const double low[] = {1, 2, 3}, high[] = {4, 5, 6};
    const struct rank_test r = rank_test(low, 3, high, 3);
    assert_true(r.exact && r.u == 0 && r.superiority == 0);
    assert_true(fabs(r.p - 0.1) < 1e-15); /* 2 of the 20 ways to choose */
    const struct rank_test back = rank_test(high, 3, low, 3);
    assert_true(back.u == 9 && back.superiority == 1 && back.p == r.p);
}

/* scipy.stats.mannwhitneyu([1, 2, 2, 7], [4, 2, 5, 6, 9]) */
static void ties_make_it_normal(void **state)
{
    (void)state;
    const double x[] = {1, 2, 2, 7}, y[] = {4, 2, 5, 6, 9};
    const struct rank_test r = rank_test(x, 4, y, 5);
    assert_true(!r.exact && r.u == 5.0);
    assert_true(fabs(r.p - 0.2622393495020251) < 1e-12);
}

static void nothing_to_tell(void **state)
{
    (void)state;
    const double same[] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    assert_true(rank_test(same, 10, same, 9).p == 1);
    assert_true(rank_test(same, 10, same, 9).superiority == 0.5);
    assert_true(rank_test(same, 0, same, 9).p == 1);
    assert_true(isnan(rank_test(same, 2, same, 0).superiority));
}

/* Where exact ends and normal begins there is no jump. */
static void exact_and_normal_meet(void **state)
{
    (void)state;
    double x[8], y[RANK_TEST_EXACT_MAX + 1];
    uint64_t seed = 9;
    for (size_t i = 0; i < 8; i++)
        x[i] = random_normal(&seed) + 0.7;
    for (size_t i = 0; i <= RANK_TEST_EXACT_MAX; i++)
        y[i] = random_normal(&seed);
    const struct rank_test exact = rank_test(x, 8, y, RANK_TEST_EXACT_MAX);
    const struct rank_test normal = rank_test(x, 8, y, RANK_TEST_EXACT_MAX + 1);
    assert_true(exact.exact && !normal.exact);
    assert_true(fabs(exact.p - normal.p) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_samples_are_exact),
        cmocka_unit_test(ties_make_it_normal),
        cmocka_unit_test(nothing_to_tell),
        cmocka_unit_test(exact_and_normal_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
