#include "stats/change_point.h"

#include "support/random.h"
#include "support/unit.h"

static void fill(double *x, size_t n, uint64_t seed, double sd)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 10 + sd * random_normal(&seed);
}

static void a_step_is_placed(void **state)
{
    (void)state;
    double x[90];
    struct change_point found[CHANGE_POINTS_MAX];
    int exact = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        fill(x, 90, seed, 1);
        for (int i = 60; i < 90; i++)
            x[i] += 3;
        assert_true(change_points(x, 90, NULL, found) >= 1);
        size_t nearest = 0;
        for (size_t i = 0; i < change_points(x, 90, NULL, found); i++)
            nearest = found[i].at > 55 && found[i].at < 65 ? found[i].at : nearest;
        assert_true(nearest);
        exact += nearest >= 59 && nearest <= 61;
    }
    assert_true(exact >= 40);
}

static void two_steps_without_noise(void **state)
{
    (void)state;
    double x[40];
    struct change_point found[CHANGE_POINTS_MAX];
    for (int i = 0; i < 40; i++)
        x[i] = i < 10 ? 5 : i < 25 ? 7 : 6;
    assert_int_equal(change_points(x, 40, NULL, found), 2);
    assert_int_equal(found[0].at, 10);
    assert_true(found[0].before == 5 && found[0].after == 7 && found[0].p == 0);
    assert_int_equal(found[1].at, 25);
    assert_true(found[1].before == 7 && found[1].after == 6);
    const struct change_point_rules rules = {.p = 1e-4, .magnitude = 0.2};
    assert_int_equal(change_points(x, 40, &rules, found), 1); /* 7 to 6 is 14 % only */
    assert_int_equal(found[0].at, 10);
}

static void quiet_series_have_none(void **state)
{
    (void)state;
    double x[90];
    struct change_point found[CHANGE_POINTS_MAX];
    int some = 0;
    for (uint64_t seed = 100; seed < 200; seed++) {
        fill(x, 90, seed, 1);
        some += change_points(x, 90, NULL, found) > 0;
    }
    assert_in_range(some, 0, 8);
    for (int i = 0; i < 90; i++)
        x[i] = 4;
    assert_int_equal(change_points(x, 90, NULL, found), 0);
    for (size_t n = 0; n < 2 * CHANGE_POINT_SIDE; n++)
        assert_int_equal(change_points(x, n, NULL, found), 0);
}

static void long_series_and_many_steps_are_bounded(void **state)
{
    (void)state;
    double x[500];
    struct change_point found[CHANGE_POINTS_MAX];
    for (int i = 0; i < 500; i++)
        x[i] = i / 10 % 2 + i / 20;
    const size_t n = change_points(x, 500, NULL, found);
    assert_true(n > 0 && n <= CHANGE_POINTS_MAX);
    for (size_t i = 0; i < n; i++)
        assert_true(found[i].at >= 135 && found[i].at < 500 &&
                    (!i || found[i].at > found[i - 1].at));
}

static void lines_and_steps_are_told_apart(void **state)
{
    (void)state;
    double line[60], jump[60];
    int right = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        fill(line, 60, seed, 1);
        fill(jump, 60, seed + 500, 1);
        for (int i = 0; i < 60; i++) {
            line[i] += 0.1 * i;
            jump[i] += i >= 40 ? 4 : 0;
        }
        right += rather_a_line(line, 60) && !rather_a_line(jump, 60);
    }
    assert_in_range(right, 95, 100);
    assert_false(rather_a_line(line, 2));
    for (int i = 0; i < 60; i++)
        line[i] = 1;
    assert_false(rather_a_line(line, 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_placed),
        cmocka_unit_test(two_steps_without_noise),
        cmocka_unit_test(quiet_series_have_none),
        cmocka_unit_test(long_series_and_many_steps_are_bounded),
        cmocka_unit_test(lines_and_steps_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
