/* Expected values: scipy 1.10 (ndtr, ndtri, betainc, binom.cdf). */
#include "stats/special.h"

#include "support/unit.h"

#include <math.h>
#include <stdbool.h>

static bool near(double value, double expected, double relative)
{
    return fabs(value - expected) <= relative * fabs(expected);
}

static void normal_cdf_is_right(void **state)
{
    (void)state;
    assert_true(near(normal_cdf(-10), 7.61985302416047e-24, 1e-12));
    assert_true(near(normal_cdf(-1.96), 0.024997895148220435, 1e-14));
    assert_true(normal_cdf(0) == 0.5);
    assert_true(near(normal_cdf(0.5), 0.6914624612740131, 1e-15));
    assert_true(near(normal_cdf(3), 0.9986501019683699, 1e-15));
}

static void normal_quantile_is_right(void **state)
{
    (void)state;
    assert_true(near(normal_quantile(1e-300), -37.0470962993612, 1e-12));
    assert_true(near(normal_quantile(1e-10), -6.361340902404056, 1e-14));
    assert_true(near(normal_quantile(0.001), -3.090232306167813, 1e-14));
    assert_true(near(normal_quantile(0.02425), -1.972961051311885, 1e-14));
    assert_true(near(normal_quantile(0.025), -1.9599639845400545, 1e-14));
    assert_true(near(normal_quantile(0.3), -0.5244005127080409, 1e-14));
    assert_true(fabs(normal_quantile(0.5)) < 1e-16);
    assert_true(near(normal_quantile(0.975), 1.959963984540054, 1e-14));
    assert_true(near(normal_quantile(0.9999), 3.719016485455709, 1e-12));
    assert_true(normal_quantile(0) == -INFINITY && normal_quantile(1) == INFINITY);
    assert_true(isnan(normal_quantile(NAN)));
}

static void beta_cdf_is_right(void **state)
{
    (void)state;
    assert_true(near(beta_cdf(0.3, 2, 5), 0.5798250000000001, 1e-12));
    assert_true(near(beta_cdf(0.5, 0.5, 0.5), 0.5, 1e-12));
    assert_true(near(beta_cdf(0.95, 71, 2), 0.11923050191296018, 1e-12));
    assert_true(near(beta_cdf(0.01, 3, 1000), 0.9973643953455794, 1e-12));
    assert_true(near(beta_cdf(0.2, 200, 800), 0.5063088533799727, 1e-11));
    assert_true(near(beta_cdf(0.999, 5000, 3), 0.12435737403782311, 1e-10));
    assert_true(beta_cdf(0, 2, 3) == 0 && beta_cdf(1, 2, 3) == 1);
}

static void binomial_cdf_is_right(void **state)
{
    (void)state;
    assert_true(near(binomial_cdf(71, 72, 0.95), 0.9751057193808106, 1e-12));
    assert_true(near(binomial_cdf(3, 10, 0.5), 0.171875, 1e-12));
    assert_true(near(binomial_cdf(950, 1000, 0.95), 0.5202589429126812, 1e-10));
    assert_true(near(binomial_cdf(10, 100000, 1e-4), 0.5830397502972542, 1e-9));
    assert_true(near(binomial_cdf(99900, 100000, 0.999), 0.5133187403795485, 1e-9));
    assert_true(binomial_cdf(10, 10, 0.3) == 1);
    assert_true(near(binomial_cdf(0, 4, 0.5), 0.0625, 1e-12));
}

/* Expected: t.sf, t.isf (refined by its sf), binom.pmf, betaln. */
static void student_and_binomial_mass_are_right(void **state)
{
    (void)state;
    assert_true(student_tail(0, 3) == 0.5);
    assert_true(near(student_tail(2.5, 1), 0.12111894159084335, 1e-12));
    assert_true(near(student_tail(10, 100000), 7.8165076501037e-24, 1e-9));
    assert_true(near(student_tail(-1.5, 5), 1 - student_tail(1.5, 5), 1e-15));
    assert_true(student_tail(INFINITY, 5) == 0 && student_tail(-INFINITY, 5) == 1);
    assert_true(isnan(student_tail(NAN, 5)) && isnan(student_tail(1, 0)));
    assert_true(near(student_quantile(0.025, 1), 12.706204736174705, 1e-12));
    assert_true(near(student_quantile(0.025, 1e9), 1.9599639869, 1e-9));
    assert_true(near(student_quantile(0.975, 7), -student_quantile(0.025, 7), 1e-14));
    assert_true(fabs(student_tail(student_quantile(1e-9, 4), 4) - 1e-9) < 1e-20);
    assert_true(student_quantile(0, 4) == INFINITY && student_quantile(1, 4) == -INFINITY);
    assert_true(near(binomial_mass(3, 10, 0.5), 0.1171875, 1e-12));
    assert_true(binomial_mass(4, 3, 0.5) == 0 && binomial_mass(0, 3, 0) == 1);
    assert_true(binomial_mass(3, 3, 1) == 1 && binomial_mass(2, 3, 1) == 0);
    assert_true(near(log_beta(0.5, 0.5), log(M_PI), 1e-14));
    assert_true(near(log_choose(52, 5), log(2598960), 1e-13));
}

static void log_mean_exp_does_not_overflow(void **state)
{
    (void)state;
    assert_true(near(log_mean_exp((double[]){log(2), log(4)}, 2), log(3), 1e-15));
    assert_true(log_mean_exp((double[]){5000, 5000}, 2) == 5000);
    assert_true(near(log_mean_exp((double[]){900, -900}, 2), 900 - M_LN2, 1e-15));
    assert_true(log_mean_exp((double[]){-INFINITY, -INFINITY}, 2) == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_cdf_is_right),
        cmocka_unit_test(normal_quantile_is_right),
        cmocka_unit_test(beta_cdf_is_right),
        cmocka_unit_test(binomial_cdf_is_right),
        cmocka_unit_test(student_and_binomial_mass_are_right),
        cmocka_unit_test(log_mean_exp_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
