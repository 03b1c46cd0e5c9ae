/* Figures over many histories: tests/bench/nightly.c. */
#include "stats/nightly.h"

#include "support/random.h"
#include "support/unit.h"

#include <stdbool.h>
#include <string.h>

static void noise(double *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_normal(&seed);
}

static void nothing_is_said_before_thirty_nights(void **state)
{
    (void)state;
    double x[31] = {0};
    noise(x, 30, 1);
    x[28] = x[29] = 100;
    for (size_t n = 0; n <= 30; n++) {
        const struct nightly j = nightly_judge(x, n, NIGHTLY_UP, 0);
        assert_true(!j.judged && j.p == 1 && j.nights == 0 && j.statistic == 0);
    }
    assert_true(nightly_judge(x, 31, NIGHTLY_UP, 0).judged);
}

/* z of the first judged night by hand: phi is 0 where neighbours alternate, so z follows from mean
 * and sd of x_1..x_29; expected: scipy.stats.norm.isf(scipy.stats.t.sf(u, 28)). */
static void the_first_step_is_as_the_header_says(void **state)
{
    (void)state;
    double x[31];
    for (int i = 0; i < 31; i++)
        x[i] = i % 2 ? 1 : -1;
    x[30] = 2;
    const struct nightly j = nightly_judge(x, 31, NIGHTLY_UP, 0);
    assert_true(j.phi == 0 && j.up);
    assert_true(fabs(j.statistic - 1.3264886880184537) < 1e-9);
    assert_true(fabs(j.p - 2 * exp(-(j.statistic + 0.5826))) < 1e-12 && j.trend_p == 1);
}

static void a_step_is_seen_on_its_side_only(void **state)
{
    (void)state;
    double x[60], mirrored[60];
    noise(x, 60, 3);
    for (int i = 0; i < 60; i++) {
        x[i] += i >= 45 ? 3 : 0;
        mirrored[i] = -x[i];
    }
    const struct nightly up = nightly_judge(x, 60, NIGHTLY_UP, 0);
    const struct nightly down = nightly_judge(mirrored, 60, NIGHTLY_DOWN, 0);
    const struct nightly both = nightly_judge(x, 60, NIGHTLY_BOTH, 0);
    assert_true(up.nights >= 10 && up.up && up.p < 1e-4);
    assert_true(fabs(up.statistic - down.statistic) < 1e-9 && !down.up);
    assert_true(fabs(both.statistic - up.statistic) < 1e-9 && fabs(both.p - 2 * up.p) < 1e-12);
    assert_int_equal(nightly_judge(x, 60, NIGHTLY_DOWN, 0).nights, 0);
}

/* A climb from the first night on: the statistic sees autocorrelation, the trend test the climb. */
static void a_ramp_is_a_candidate(void **state)
{
    (void)state;
    double x[60];
    noise(x, 60, 8);
    for (int i = 0; i < 60; i++)
        x[i] += 0.2 * i;
    const struct nightly up = nightly_judge(x, 60, NIGHTLY_UP, 0);
    assert_true(up.candidate && up.trend_p < 1e-6 && up.p <= 2 * up.trend_p);
    const struct nightly down = nightly_judge(x, 60, NIGHTLY_DOWN, 0);
    assert_true(!down.candidate && down.trend_p == 1);
}

static void one_odd_night_is_no_alarm(void **state)
{
    (void)state;
    double x[60];
    noise(x, 60, 4);
    x[50] = 1000;
    struct nightly trace[60];
    assert_int_equal(nightly_trace(x, 60, NIGHTLY_UP, 0, trace), 60);
    for (int i = 0; i < 60; i++)
        assert_true(trace[i].nights == 0);
}

static void a_constant_series_moves_when_it_moves(void **state)
{
    (void)state;
    double x[50];
    for (int i = 0; i < 50; i++)
        x[i] = i < 45 ? 0.93 : 0.90;
    assert_true(nightly_judge(x, 45, NIGHTLY_DOWN, 0).statistic == 0);
    assert_true(nightly_judge(x, 46, NIGHTLY_DOWN, 0).statistic == NIGHTLY_CAP - NIGHTLY_SLACK);
    assert_true(nightly_judge(x, 50, NIGHTLY_DOWN, 0).nights >= 2);
    /* Within what the measurement can tell, it has not moved. */
    assert_int_equal(nightly_judge(x, 50, NIGHTLY_DOWN, 0.1).nights, 0);
}

static void the_past_decides_and_nothing_later(void **state)
{
    (void)state;
    double x[200];
    struct nightly whole[NIGHTLY_MOST], part[NIGHTLY_MOST];
    noise(x, 200, 5);
    assert_int_equal(nightly_trace(x, 180, NIGHTLY_UP, 0, whole), NIGHTLY_MOST);
    for (size_t n = 1; n <= 180; n += 13) {
        assert_int_equal(nightly_trace(x, n, NIGHTLY_UP, 0, part), n);
        assert_memory_equal(&part[n - 1], &whole[n - 1], sizeof part[0]);
    }
    /* Of a longer series the newest count. */
    const struct nightly tail = nightly_judge(x, 200, NIGHTLY_UP, 0);
    const struct nightly same = nightly_judge(x + 20, 180, NIGHTLY_UP, 0);
    assert_true(tail.statistic == same.statistic);
}

/* Level and unit do not matter. */
static void scale_and_level_do_not_matter(void **state)
{
    (void)state;
    double x[80], y[80];
    noise(x, 80, 6);
    for (int i = 0; i < 80; i++) {
        x[i] += i > 60;
        y[i] = 1e6 + 1e-3 * x[i];
    }
    const struct nightly a = nightly_judge(x, 80, NIGHTLY_UP, 0);
    const struct nightly b = nightly_judge(y, 80, NIGHTLY_UP, 0);
    assert_true(fabs(a.statistic - b.statistic) < 1e-5 && fabs(a.phi - b.phi) < 1e-6);
}

static void many_series_share_one_rate(void **state)
{
    (void)state;
    struct nightly series[1000];
    bool alarm[1000];
    for (size_t i = 0; i < 1000; i++)
        series[i] = (struct nightly){.judged = true, .p = 0.5};
    series[7] = (struct nightly){.judged = true, .p = 4e-5, .candidate = true};
    series[8] = (struct nightly){.judged = true, .p = 6e-5, .candidate = true};
    series[9] = (struct nightly){.judged = true, .p = 1e-9, .candidate = false}; /* not yet */
    assert_int_equal(nightly_alarms(series, 1000, 0.05, alarm), 2);
    assert_true(alarm[7] && alarm[8] && !alarm[9]);
    series[9].p = 0.9; /* now 8 is one of two, and too likely: 6e-5 * 1000 / 2 <= 0.05 still */
    assert_int_equal(nightly_alarms(series, 1000, 0.05, alarm), 2);
    series[7].p = 0.5;
    assert_int_equal(nightly_alarms(series, 1000, 0.05, alarm), 0);
    for (size_t i = 100; i < 1000; i++) /* too young: they are no tests */
        series[i].judged = false;
    assert_int_equal(nightly_alarms(series, 1000, 0.05, alarm), 1);
    assert_int_equal(nightly_alarms(series, 0, 0.05, alarm), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_thirty_nights),
        cmocka_unit_test(the_first_step_is_as_the_header_says),
        cmocka_unit_test(a_step_is_seen_on_its_side_only),
        cmocka_unit_test(a_ramp_is_a_candidate),
        cmocka_unit_test(one_odd_night_is_no_alarm),
        cmocka_unit_test(a_constant_series_moves_when_it_moves),
        cmocka_unit_test(the_past_decides_and_nothing_later),
        cmocka_unit_test(scale_and_level_do_not_matter),
        cmocka_unit_test(many_series_share_one_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
