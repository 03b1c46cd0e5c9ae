/* Expected values: Mann-Kendall written out in Python with scipy.stats.norm; slopes and intervals
 * from scipy.stats.theilslopes(y, x, 0.9), scipy 1.10. */
#include "stats/trend.h"

#include "support/random.h"
#include "support/unit.h"

static const double rising[] = {9.759,  9.653,  10.025, 10.276, 10.541, 10.283,
                                10.134, 10.115, 10.625, 10.94,  10.582, 10.18};
static const double tied[] = {1, 2, 2, 3, 3, 3, 4, 2, 5, 5};
static const double places[] = {0, 1, 2.5, 4, 7, 7.5, 9, 12, 15, 15.5};

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

static void a_series_without_ties(void **state)
{
    (void)state;
    struct trend t;
    trend_test(NULL, rising, 12, 0.9, &t);
    assert_true(t.s == 32);
    assert_near(t.variance, 212.66666666666666);
    assert_near(t.z, 2.125748992103599);
    assert_near(t.p, 0.03352416523500472);
    assert_near(t.slope, 0.07339999999999999);
    assert_near(t.slope_interval.lo, 0.016249999999999876);
    assert_near(t.slope_interval.hi, 0.1307142857142856);
}

static void ties_and_uneven_places(void **state)
{
    (void)state;
    struct trend t;
    trend_test(NULL, tied, 10, 0.9, &t);
    assert_true(t.s == 30);
    assert_near(t.variance, 116.66666666666667);
    assert_near(t.z, 2.6848782893403995);
    assert_near(t.p, 0.007255622276777044);
    assert_near(t.slope, 0.4);
    trend_test(places, tied, 10, 0.9, &t);
    assert_true(t.s == 30);
    assert_near(t.slope, 0.2222222222222222);
    assert_near(t.slope_interval.lo, 0.15384615384615385);
    assert_near(t.slope_interval.hi, 0.26666666666666666);
}

static void falling_mirrors_rising(void **state)
{
    (void)state;
    double mirrored[12];
    for (size_t i = 0; i < 12; i++)
        mirrored[i] = -rising[i];
    struct trend up, down;
    trend_test(NULL, rising, 12, 0.95, &up);
    trend_test(NULL, mirrored, 12, 0.95, &down);
    assert_true(down.s == -up.s && down.z == -up.z && down.p == up.p && down.slope == -up.slope);
}

static void too_little_to_say(void **state)
{
    (void)state;
    const double flat[] = {5, 5, 5, 5};
    struct trend t;
    for (size_t n = 0; n < 2; n++) {
        trend_test(NULL, flat, n, 0.95, &t);
        assert_true(isnan(t.slope) && t.p == 1 && t.s == 0);
    }
    trend_test(NULL, flat, 4, 0.95, &t);
    assert_true(t.slope == 0 && t.p == 1 && t.z == 0 && t.variance == 0);
    trend_test(NULL, (double[]){1, 2}, 2, 0.95, &t);
    assert_true(t.slope == 1 && t.p == 1); /* s = 1 less the correction */
}

/* Series without a trend: p < 0.05 in about one of twenty. */
static void false_alarms_are_as_many_as_p_says(void **state)
{
    (void)state;
    uint64_t seed = 8;
    int alarms = 0;
    for (int run = 0; run < 2000; run++) {
        double values[30];
        struct trend t;
        for (size_t i = 0; i < 30; i++)
            values[i] = random_normal(&seed);
        trend_test(NULL, values, 30, 0.95, &t);
        alarms += t.p < 0.05;
    }
    assert_in_range(alarms, 60, 130);
}

/* Neighbours that move together fool the plain test oftener than the whitened one. */
static void whitening_keeps_the_promise(void **state)
{
    (void)state;
    uint64_t seed = 5;
    int plain = 0, whitened = 0;
    for (int run = 0; run < 1000; run++) {
        double values[60], last = 0;
        struct trend t;
        for (size_t i = 0; i < 60; i++)
            values[i] = last = 0.5 * last + random_normal(&seed);
        trend_test(NULL, values, 60, 0.95, &t);
        plain += t.p < 0.05;
        const double slope = t.slope;
        trend_test_whitened(values, 60, 0.95, &t);
        whitened += t.p < 0.05;
        assert_true(t.slope == slope);
    }
    assert_in_range(plain, 200, 350);
    assert_in_range(whitened, 30, 120);
    struct trend t;
    double flat[10] = {0}, ramp[40];
    trend_test_whitened(flat, 10, 0.95, &t);
    assert_true(t.p == 1 && t.slope == 0 && t.tau == 0);
    trend_test_whitened(flat, 1, 0.95, &t);
    assert_true(isnan(t.slope) && t.p == 1);
    for (size_t i = 0; i < 40; i++)
        ramp[i] = 0.1 * (double)i + 0.3 * random_normal(&seed);
    trend_test_whitened(ramp, 40, 0.95, &t);
    assert_true(t.p < 1e-6 && t.tau > 0.7);
}

static void long_series_are_judged_by_their_end(void **state)
{
    (void)state;
    enum { N = TREND_POINTS_MAX + 100 };
    double values[N], x[N];
    for (size_t i = 0; i < N; i++) {
        x[i] = 2.0 * (double)i;
        values[i] = i < 100 ? 1e6 - (double)i : (double)i;
    }
    struct trend t;
    trend_test(x, values, N, 0.95, &t);
    assert_true(t.slope == 0.5);
    assert_true(t.s == TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_without_ties),
        cmocka_unit_test(ties_and_uneven_places),
        cmocka_unit_test(falling_mirrors_rising),
        cmocka_unit_test(too_little_to_say),
        cmocka_unit_test(false_alarms_are_as_many_as_p_says),
        cmocka_unit_test(whitening_keeps_the_promise),
        cmocka_unit_test(long_series_are_judged_by_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
