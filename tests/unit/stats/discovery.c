#include "stats/discovery.h"

#include "support/unit.h"

#include <math.h>

static void adjusted_by_hand(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.9, NAN, 0.02, 0.04, 0.02};
    const double expected[] = {0.1 / 3, 0.9, NAN, 0.1 / 3, 0.05, 0.1 / 3};
    double adjusted[6];
    discovery_adjust(p, 6, adjusted);
    for (int i = 0; i < 6; i++)
        assert_true(isnan(expected[i]) ? isnan(adjusted[i])
                                       : fabs(adjusted[i] - expected[i]) < 1e-15);
    assert_true(discovery_level(adjusted, 6, 0.034) == 1 - 0.034 * 3 / 5);
    assert_true(discovery_level(adjusted, 6, 0.01) == 1 - 0.01 / 5);
}

static void none_and_one(void **state)
{
    (void)state;
    double p[] = {NAN, 0.3};
    discovery_adjust(p, 0, p);
    discovery_adjust(p, 2, p);
    assert_true(isnan(p[0]) && p[1] == 0.3);
    assert_true(discovery_level(p, 1, 0.05) == 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adjusted_by_hand),
        cmocka_unit_test(none_and_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
