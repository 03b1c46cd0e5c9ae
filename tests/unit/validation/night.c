#include "validation/night.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <string.h>

#define DAY_MS 86400000

enum { NIGHTS = 60 };

/* A series of NIGHTS values about `level` with deviation 1, one a day. */
struct made {
    struct history_series series;
    struct history_point points[NIGHTS];
};

static void make(struct made *m, const char *better, double level, uint64_t seed)
{
    *m = (struct made){.series = {.test_id = "t", .test_name = "nightly", .points = m->points}};
    m->series.len = NIGHTS;
    measurement_init(&m->series.last);
    m->series.last.name = "x";
    m->series.last.better = better;
    for (int i = 0; i < NIGHTS; i++)
        m->points[i] = (struct history_point){.at = INT64_C(1) + (int64_t)DAY_MS * (i + 1),
                                              .value = level + random_normal(&seed),
                                              .variance = NAN};
}

static size_t judge(const struct made *m, struct night_alarm *out)
{
    const struct history_series *const list[] = {&m->series};
    return night_judge(list, 1, 0, NULL, out);
}

static void a_step_is_told_with_its_night(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    make(&m, "lower", 50, 1);
    assert_int_equal(judge(&m, &a), 0);
    for (int i = 50; i < NIGHTS; i++)
        m.points[i].value += 4;
    assert_int_equal(judge(&m, &a), 1);
    assert_int_equal(a.kind, NIGHT_STEP);
    assert_ptr_equal(a.series, &m.series);
    assert_true(a.at >= m.points[48].at && a.at <= m.points[52].at);
    assert_true(fabs(a.before - 50) < 1 && fabs(a.after - 54) < 1.5);
    assert_true(a.p_value < 0.001 && isnan(a.slope_per_day) && a.nights == NIGHTS);
    m.series.last.better = "higher"; /* then it got better */
    assert_int_equal(judge(&m, &a), 0);
    m.series.last.better = NULL; /* then it does not matter */
    assert_int_equal(judge(&m, &a), 0);
}

static void a_ramp_is_told_as_a_trend(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    make(&m, "higher", 100, 2);
    for (int i = 0; i < NIGHTS; i++)
        m.points[i].value -= 0.2 * i;
    assert_int_equal(judge(&m, &a), 1);
    assert_int_equal(a.kind, NIGHT_TREND);
    assert_true(fabs(a.slope_per_day + 0.2) < 0.05);
    assert_true(a.slope_interval.lo < a.slope_per_day && a.slope_interval.hi > a.slope_per_day);
    assert_true(a.before > a.after && a.before - a.after > 9);
    struct night_trend t;
    assert_true(night_trend(&m.series, NULL, &t));
    assert_true(t.worse && t.points == NIGHTS && t.p_value < 1e-6);
    m.series.last.better = "lower";
    assert_true(night_trend(&m.series, NULL, &t));
    assert_false(t.worse);
}

static void what_is_too_small_is_not_told(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    make(&m, "lower", 10000, 3);
    for (int i = 50; i < NIGHTS; i++)
        m.points[i].value += 4; /* 0.04 % */
    assert_int_equal(judge(&m, &a), 0);
    m.series.last.margin_ratio = 1e-5;
    assert_int_equal(judge(&m, &a), 1);
}

static void distances_from_a_target_count(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    double values[NIGHTS];
    make(&m, "target", 100, 4);
    m.series.last.target = 105;
    for (int i = 50; i < NIGHTS; i++)
        m.points[i].value -= 5; /* from 5 to 10 off it */
    night_values(&m.series, values);
    assert_true(fabs(values[0] - (105 - m.points[0].value)) < 1e-12);
    assert_int_equal(judge(&m, &a), 1);
    assert_true(a.after > a.before);
    m.series.last.target = 90; /* then it came nearer */
    assert_int_equal(judge(&m, &a), 0);
}

static void the_measurements_own_error_is_the_least(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    make(&m, "higher", 0, 5);
    for (int i = 0; i < NIGHTS; i++) {
        m.points[i].value = i < 50 ? 0.93 : 0.91; /* the same every night */
        m.points[i].samples = 100;
        m.points[i].variance = 0.93 * 0.07;
    }
    assert_int_equal(judge(&m, &a), 0); /* one error is 0.0255 */
    for (int i = 0; i < NIGHTS; i++)
        m.points[i].samples = 100000;
    assert_int_equal(judge(&m, &a), 1);
    assert_true(a.before == 0.93 || fabs(a.before - 0.93) < 1e-12);
}

static void only_what_came_that_night_is_judged(void **state)
{
    (void)state;
    struct made m;
    struct night_alarm a;
    make(&m, "lower", 50, 6);
    for (int i = 50; i < NIGHTS; i++)
        m.points[i].value += 4;
    const struct history_series *const list[] = {&m.series};
    const int64_t last = m.points[NIGHTS - 1].at;
    assert_int_equal(night_judge(list, 1, last, NULL, &a), 1);
    assert_int_equal(night_judge(list, 1, last + 1, NULL, &a), 0);
    assert_int_equal(night_judge(list, 0, 0, NULL, &a), 0);
    m.series.len = 30; /* too young */
    assert_int_equal(judge(&m, &a), 0);
    struct night_trend t;
    m.series.len = 29;
    assert_false(night_trend(&m.series, NULL, &t));
}

/* One of 300 series moves; the others are quiet. */
static void one_among_many_is_found(void **state)
{
    (void)state;
    static struct made many[300];
    static struct night_alarm alarms[300];
    const struct history_series *list[300];
    for (uint64_t i = 0; i < 300; i++) {
        make(&many[i], "lower", 50, 1000 + 100 * i);
        list[i] = &many[i].series;
    }
    assert_int_equal(night_judge(list, 300, 0, NULL, alarms), 0);
    for (int i = 48; i < NIGHTS; i++)
        many[123].points[i].value += 3;
    assert_int_equal(night_judge(list, 300, 0, NULL, alarms), 1);
    assert_ptr_equal(alarms[0].series, &many[123].series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_told_with_its_night),
        cmocka_unit_test(a_ramp_is_told_as_a_trend),
        cmocka_unit_test(what_is_too_small_is_not_told),
        cmocka_unit_test(distances_from_a_target_count),
        cmocka_unit_test(the_measurements_own_error_is_the_least),
        cmocka_unit_test(only_what_came_that_night_is_judged),
        cmocka_unit_test(one_among_many_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
