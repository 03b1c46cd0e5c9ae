#include "validation/result.h"

#include "support/unit.h"

#include <math.h>

static const double subject[] = {1, 2, 4, 5}, baseline[] = {1, 1, 2, 2};

static void values_tell_samples_variance_and_pairs(void **state)
{
    (void)state;
    struct measurement m;
    measurement_init(&m);
    m.value = 3;
    measurement_take_values(&m, subject, baseline, 4);
    assert_int_equal(m.samples, 4);
    assert_true(fabs(m.variance - 10.0 / 3) < 1e-12);
    assert_int_equal(m.pairs.samples, 4);
    assert_true(m.pairs.mean == 1.5 && fabs(m.pairs.variance - 5.0 / 3) < 1e-12);
    measurement_init(&m);
    m.value = 3;
    m.samples = 9;
    m.variance = 0.5;
    measurement_take_values(&m, subject, NULL, 4);
    assert_true(m.samples == 9 && m.variance == 0.5 && m.pairs.samples == 0);
}

static void values_of_another_statistic_say_nothing(void **state)
{
    (void)state;
    struct measurement m;
    measurement_init(&m);
    m.value = 5; /* their maximum */
    measurement_take_values(&m, subject, baseline, 4);
    assert_true(m.samples == 0 && isnan(m.variance) && m.pairs.samples == 0);
    m.value = 1;
    measurement_take_values(&m, subject, baseline, 1); /* too few */
    assert_int_equal(m.pairs.samples, 0);
}

static void names_of_directions(void **state)
{
    (void)state;
    assert_int_equal(better_of("higher"), BETTER_HIGHER);
    assert_int_equal(better_of("lower"), BETTER_LOWER);
    assert_int_equal(better_of("target"), BETTER_TARGET);
    assert_int_equal(better_of("up"), BETTER_NEITHER);
    assert_int_equal(better_of(NULL), BETTER_NEITHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_tell_samples_variance_and_pairs),
        cmocka_unit_test(values_of_another_statistic_say_nothing),
        cmocka_unit_test(names_of_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
