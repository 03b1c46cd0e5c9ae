#include "stats/interval.h"

#include "stats/quantile.h"

#include "support/random.h"
#include "support/unit.h"

/* Expected: scipy.stats.binomtest(k, n).proportion_ci(level, method="wilson"), scipy 1.10. */
static void wilson_agrees_with_scipy(void **state)
{
    (void)state;
    static const struct {
        uint64_t k, n;
        double level, lo, hi;
    } rows[] = {
        {0, 10, 0.95, 0, 0.27753279986288926},
        {10, 10, 0.95, 0.7224672001371109, 1},
        {5, 100, 0.95, 0.021543679154367973, 0.11175046923191914},
        {600, 120000, 0.95, 0.004616462908905382, 0.005415228111867417},
        {1, 2, 0.9, 0.12086631942227366, 0.8791336805777263},
        {0, 1000000, 0.99, 0, 6.634852579460386e-06},
        {0, 0, 0.95, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct interval got = wilson_interval(rows[i].k, rows[i].n, rows[i].level);
        assert_true(fabs(got.lo - rows[i].lo) <= 1e-12 * rows[i].lo);
        assert_true(fabs(got.hi - rows[i].hi) <= 1e-12 * rows[i].hi);
    }
}

/* Expected: Koopman's statistic with the restricted estimate found by scipy.optimize.brentq on the
 * likelihood's derivative (no closed form), and its limits by brentq again. */
static void ratio_agrees_with_a_numerical_solution(void **state)
{
    (void)state;
    static const struct {
        uint64_t k1, n1, k2, n2;
        double level, lo, hi;
    } rows[] = {
        {30, 1000, 20, 1000, 0.95, 0.8640783231471701, 2.6058283820532786},
        {5, 100, 50, 10000, 0.95, 4.1432503922909385, 23.378146766107722},
        {0, 200, 10, 1000, 0.95, 0, 1.8943887382478894},
        {7, 300, 0, 3000, 0.95, 18.237390930781917, INFINITY},
        {90, 100, 80, 100, 0.9, 1.0207789881139069, 1.2515863072809699},
        {600, 120000, 400, 100000, 0.99, 1.0591209715759544, 1.475305984648362},
        {0, 10, 0, 20, 0.95, 0, INFINITY},
        {0, 0, 3, 20, 0.95, 0, INFINITY},
        {3, 10, 0, 0, 0.95, 0, INFINITY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct interval got =
            ratio_interval(rows[i].k1, rows[i].n1, rows[i].k2, rows[i].n2, rows[i].level);
        assert_true(fabs(got.lo - rows[i].lo) <= 1e-9 * rows[i].lo);
        assert_true(got.hi == rows[i].hi || fabs(got.hi - rows[i].hi) <= 1e-9 * rows[i].hi);
    }
}

static void all_hits_in_both_arms_have_an_interval(void **state)
{
    (void)state;
    const struct interval got = ratio_interval(50, 50, 70, 70, 0.95);
    assert_true(got.lo > 0.9 && got.lo <= 1 && got.hi >= 1 && got.hi < 1.1);
}

/* Expected: smallest ranks by scipy.stats.binom.cdf. */
static void ranks_enclose_the_quantile(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        double q, level;
        uint64_t lower, upper;
    } rows[] = {
        {71, 0.95, 0.95, 63, 72},
        {72, 0.95, 0.95, 64, 72},
        {367, 0.99, 0.95, 359, 368},
        {368, 0.99, 0.95, 360, 368},
        {3687, 0.999, 0.95, 3679, 3688},
        {3688, 0.999, 0.95, 3680, 3688},
        {100, 0.5, 0.95, 40, 61},
        {1000, 0.95, 0.95, 936, 964},
        {1000, 0.99, 0.9, 985, 996},
        {10, 0.5, 0.95, 2, 9},
        {3, 0.5, 0.95, 0, 4},
        {1, 0.99, 0.95, 1, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t lower, upper;
        quantile_ranks(rows[i].n, rows[i].q, rows[i].level, &lower, &upper);
        assert_int_equal(lower, rows[i].lower);
        assert_int_equal(upper, rows[i].upper);
    }
    uint64_t lower, upper; /* the normal form: exact 949,986,491 and 950,013,509 */
    quantile_ranks(1000000000, 0.95, 0.95, &lower, &upper);
    assert_in_range(lower, 949986488, 949986491);
    assert_in_range(upper, 950013509, 950013512);
}

/* Of 400 samples of 500 values, some 5 % may miss the true p95, which is known. */
static void quantile_intervals_cover(void **state)
{
    (void)state;
    const double truth = 20 * exp(0.6 * 1.6448536269514722);
    uint64_t seed = 77;
    int missed = 0;
    for (int run = 0; run < 400; run++) {
        struct sketch s;
        sketch_init(&s, 7);
        for (int i = 0; i < 500; i++)
            sketch_add(&s, random_latency(&seed));
        const struct interval got = quantile_interval(&s, 0.95, 0.95);
        const double told = sketch_quantile(&s, 0.95);
        assert_true(got.lo <= told && told <= got.hi);
        missed += truth < got.lo || truth > got.hi;
        sketch_release(&s);
    }
    assert_in_range(missed, 4, 30);
}

static void too_few_values_leave_a_side_open(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    struct interval got = quantile_interval(&s, 0.95, 0.95);
    assert_true(got.lo == 0 && got.hi == INFINITY);
    for (int i = 1; i <= 71; i++)
        sketch_add(&s, i);
    got = quantile_interval(&s, 0.95, 0.95);
    assert_true(got.lo <= 63 && got.lo > 62 && got.hi == INFINITY);
    sketch_add(&s, 72);
    got = quantile_interval(&s, 0.95, 0.95);
    assert_true(got.lo <= 64 && got.lo > 63 && got.hi == 72);
    sketch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_agrees_with_scipy),
        cmocka_unit_test(ratio_agrees_with_a_numerical_solution),
        cmocka_unit_test(all_hits_in_both_arms_have_an_interval),
        cmocka_unit_test(ranks_enclose_the_quantile),
        cmocka_unit_test(quantile_intervals_cover),
        cmocka_unit_test(too_few_values_leave_a_side_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
