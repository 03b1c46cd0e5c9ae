#include "stats/quantile.h"

#include "support/random.h"
#include "support/unit.h"

#include <stdlib.h>

static struct sketch of(int scale, const double *values, size_t n)
{
    struct sketch s;
    sketch_init(&s, scale);
    assert_int_equal(sketch_add_many(&s, values, n), 0);
    return s;
}

static void few_values_and_none(void **state)
{
    (void)state;
    struct sketch s;
    double lo, hi;
    sketch_init(&s, 7);
    assert_true(isnan(sketch_quantile(&s, 0.5)));
    assert_true(isnan(sketch_quantile_promql(&s, 0.5)));
    sketch_rank_bounds(&s, 0.5, &lo, &hi);
    assert_true(isnan(lo) && isnan(hi));
    assert_int_equal(sketch_count_at_or_below(&s, 5), 0);
    sketch_add(&s, 17.3);
    assert_true(sketch_quantile(&s, 0.99) == 17.3);
    sketch_add(&s, 90.1);
    assert_true(sketch_quantile(&s, 0.5) == 17.3);
    assert_true(sketch_quantile(&s, 0.51) == 90.1);
    assert_true(sketch_quantile(&s, -3) == 17.3);
    assert_true(sketch_quantile(&s, 7) == 90.1);
    sketch_release(&s);
}

static void a_constant_is_told_exactly(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    for (int i = 0; i < 1000; i++)
        sketch_add(&s, 42);
    for (double q = 0; q <= 1; q += 0.01)
        assert_true(sketch_quantile(&s, q) == 42);
    assert_true(sketch_mean(&s) == 42);
    sketch_release(&s);
}

/* Below and above the domain only order and [min, max] are promised. */
static void outside_the_domain_quantiles_stay_in_order(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    for (int i = 0; i < 100; i++) {
        sketch_add(&s, 0);
        sketch_add(&s, 1e-9 * (i + 1));
        sketch_add(&s, 1 + i);
        sketch_add(&s, 1e14 * (i + 1));
    }
    double last = -1;
    for (double q = 0; q <= 1; q += 0.001) {
        const double value = sketch_quantile(&s, q);
        double lo, hi;
        sketch_rank_bounds(&s, q, &lo, &hi);
        assert_true(value >= last && lo <= value && value <= hi && hi <= 1e16);
        last = value;
    }
    assert_true(sketch_quantile(&s, 0.2) == 0);
    assert_true(sketch_quantile(&s, 0.3) > 0 && sketch_quantile(&s, 0.3) <= 0x1p-20);
    assert_float_equal(sketch_quantile(&s, 0.75), 100, 0.6);
    assert_true(sketch_quantile(&s, 0.8) > 0x1p44);
    assert_int_equal(sketch_quantile_index(&s, 0.1), -2561);
    assert_int_equal(sketch_quantile_index(&s, 0.3), -2561);
    assert_int_equal(sketch_quantile_index(&s, 0.9), 5632);
    assert_int_equal(sketch_count_above(&s, -2561), 200);
    assert_int_equal(sketch_count_above(&s, INT32_MIN), 200);
    assert_int_equal(sketch_count_above(&s, 5631), 100);
    assert_int_equal(sketch_count_above(&s, INT32_MAX), 100);
    assert_int_equal(sketch_count_at_or_below(&s, -1), 0);
    assert_int_equal(sketch_count_at_or_below(&s, NAN), 0);
    assert_int_equal(sketch_count_at_or_below(&s, 0), 100);
    assert_int_equal(sketch_count_at_or_below(&s, 0x1p-20), 200);
    assert_int_equal(sketch_count_at_or_below(&s, 0x1p44), 300);
    assert_int_equal(sketch_count_at_or_below(&s, 1e15), 300);
    assert_int_equal(sketch_count_at_or_below(&s, INFINITY), 400);
    sketch_release(&s);
}

/* Expected values: histogram_quantile() of Prometheus 3 for native histograms, written down in
 * Python from its source (promql/quantile.go) and run on the buckets of these values. */
static void promql_gives_the_number_of_prometheus(void **state)
{
    (void)state;
    static const double values[] = {0.7,   1.3,   5.1, 5.1, 5.12, 19.9, 20.1,   33.3,
                                    250.7, 251.0, 0,   0,   1e-7, 1e-7, 0x1p-20};
    static const struct {
        double q, plain, with_zeros;
    } expected[] = {
        {0, 0.6994898362691556, 0},      {0.1, 0.7032879969095077, 2.86102294921875e-07},
        {0.25, 5.0830806630701595, NAN}, {0.3, NAN, 8.58306884765625e-07},
        {0.49, 5.128702011149547, NAN},  {0.5, 19.869724993175744, 5.0830806630701595},
        {0.75, 33.326403990026115, NAN}, {0.9, 251.1936614667427, 250.85382480027434},
        {0.95, 251.5339585167032, NAN},  {0.99, 251.80652805187773, NAN},
        {1, 251.8747165738465, NAN},
    };
    struct sketch plain = of(7, values, 10), zeros = of(7, values, 15),
                  only = of(7, values + 10, 4);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const double q = expected[i].q, a = expected[i].plain, b = expected[i].with_zeros;
        if (!isnan(a))
            assert_true(fabs(sketch_quantile_promql(&plain, q) - a) <= 1e-13 * a);
        if (!isnan(b))
            assert_true(fabs(sketch_quantile_promql(&zeros, q) - b) <= 1e-13 * b);
    }
    /* Nothing but zeros: Prometheus lets the zero bucket reach below zero. */
    assert_true(sketch_quantile_promql(&only, 0.1) == -7.62939453125e-07);
    assert_true(sketch_quantile_promql(&only, 0.5) == 0);
    assert_true(sketch_quantile_promql(&only, 0.9) == 7.62939453125e-07);
    assert_true(sketch_quantile_promql(&plain, -0.1) == -INFINITY);
    assert_true(sketch_quantile_promql(&plain, 1.1) == INFINITY);
    assert_true(isnan(sketch_quantile_promql(&plain, NAN)));
    sketch_release(&plain);
    sketch_release(&zeros);
    sketch_release(&only);
}

static void counts_agree_with_counting(void **state)
{
    (void)state;
    enum { N = 3000 };
    double values[N];
    uint64_t seed = 5;
    for (size_t i = 0; i < N; i++)
        values[i] = i % 50 == 0 ? 8 : random_latency(&seed);
    for (int scale = 0; scale <= 7; scale++) {
        struct sketch s = of(scale, values, N);
        for (int32_t index = -(3 << scale); index < 9 << scale; index++) {
            const double edge = grid_upper_edge(index, scale);
            size_t below = 0;
            for (size_t i = 0; i < N; i++)
                below += values[i] <= edge;
            assert_int_equal(sketch_count_above(&s, index), N - below);
            assert_int_equal(sketch_count_at_or_below(&s, edge), below);
            /* A bound that cuts the next bucket leaves that bucket out. */
            if (below < N && nextafter(edge, INFINITY) < s.max)
                assert_int_equal(sketch_count_at_or_below(&s, nextafter(edge, INFINITY)), below);
        }
        sketch_release(&s);
    }
}

static void the_bucket_of_a_quantile_is_named(void **state)
{
    (void)state;
    enum { N = 2000 };
    double values[N];
    uint64_t seed = 6;
    for (size_t i = 0; i < N; i++)
        values[i] = random_latency(&seed);
    struct sketch s = of(7, values, N);
    for (double q = 0.01; q < 1; q += 0.01) {
        const int32_t index = sketch_quantile_index(&s, q);
        assert_int_equal(index, grid_index(sketch_quantile(&s, q)));
        assert_true((double)sketch_count_above(&s, index) <= (1 - q) * N + 1e-9);
        assert_true((double)sketch_count_above(&s, index - 1) > (1 - q) * N - 1e-9);
    }
    sketch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_values_and_none),
        cmocka_unit_test(a_constant_is_told_exactly),
        cmocka_unit_test(outside_the_domain_quantiles_stay_in_order),
        cmocka_unit_test(promql_gives_the_number_of_prometheus),
        cmocka_unit_test(counts_agree_with_counting),
        cmocka_unit_test(the_bucket_of_a_quantile_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
