#include "stats/sketch.h"

#include "stats/codec.h"
#include "stats/quantile.h"

#include "support/random.h"
#include "support/unit.h"

#include <float.h>
#include <stdlib.h>

enum { VALUES = 60000 };

/* The encoding is canonical, so equal bytes mean equal sketches. */
static void assert_same(const struct sketch *a, const struct sketch *b)
{
    struct bytes x = BYTES_INIT(SKETCH_ENCODED_MAX), y = BYTES_INIT(SKETCH_ENCODED_MAX);
    assert_true(sketch_encode(a, &x));
    assert_true(sketch_encode(b, &y));
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    bytes_release(&x);
    bytes_release(&y);
}

/* ---- the data of the accuracy promise ---- */

static double lognormal(uint64_t *seed)
{
    return random_latency(seed);
}

static double pareto(uint64_t *seed)
{
    return 5 * pow(random_uniform(seed), -1 / 1.2);
}

static double bimodal(uint64_t *seed)
{
    const double middle = random_uniform(seed) < 0.9 ? 5 : 250;
    return middle * exp(0.1 * random_normal(seed));
}

static double constant(uint64_t *seed)
{
    (void)seed;
    return 42;
}

static double wide(uint64_t *seed)
{
    return pow(10, 15 * random_uniform(seed) - 6);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double *fill(double (*draw)(uint64_t *), bool sorted)
{
    uint64_t seed = 20240229;
    double *values = test_malloc(VALUES * sizeof *values);
    for (size_t i = 0; i < VALUES; i++)
        values[i] = draw(&seed);
    if (sorted)
        qsort(values, VALUES, sizeof *values, ascending);
    return values;
}

static void check_accuracy(const double *values, int scale, double bound)
{
    static const double qs[] = {0.5, 0.95, 0.99, 0.999};
    double *sorted = test_malloc(VALUES * sizeof *sorted);
    memcpy(sorted, values, VALUES * sizeof *sorted);
    qsort(sorted, VALUES, sizeof *sorted, ascending);
    struct sketch s;
    sketch_init(&s, scale);
    for (size_t i = 0; i < VALUES; i++)
        assert_true(sketch_add(&s, values[i]));
    for (size_t i = 0; i < sizeof qs / sizeof qs[0]; i++) {
        /* written out here, not taken from the code under test */
        const double exact = sorted[(size_t)ceil(qs[i] * VALUES - 1e-9) - 1];
        const double told = sketch_quantile(&s, qs[i]);
        assert_true(fabs(told - exact) <= bound * exact);
        double lo, hi;
        sketch_rank_bounds(&s, qs[i], &lo, &hi);
        assert_true(lo <= exact && exact <= hi);
        assert_true(lo <= told && told <= hi);
    }
    assert_true(sketch_min(&s) == sorted[0]);
    assert_true(sketch_max(&s) == sorted[VALUES - 1]);
    assert_true(sketch_quantile(&s, 0) == sorted[0]);
    assert_true(sketch_quantile(&s, 1) == sorted[VALUES - 1]);
    sketch_release(&s);
    test_free(sorted);
}

static void quantiles_are_within_the_bound(void **state)
{
    (void)state;
    static const struct {
        double (*draw)(uint64_t *);
        bool sorted;
    } sets[] = {{lognormal, false}, {pareto, false}, {bimodal, false},
                {constant, false},  {wide, false},   {lognormal, true}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        double *values = fill(sets[i].draw, sets[i].sorted);
        check_accuracy(values, 7, 0.00543);
        check_accuracy(values, 6, 0.0109);
        check_accuracy(values, 5, 0.0219);
        test_free(values);
    }
}

/* ---- order, merging, downscaling ---- */

static void order_leaves_no_trace(void **state)
{
    (void)state;
    double *values = fill(wide, false);
    values[7] = 0;
    values[8] = 1e-9;
    values[9] = 1e300;
    values[10] = 0x1p44;
    struct sketch forward, backward, batches, late, parts[7];
    sketch_init(&forward, 7);
    sketch_init(&backward, 7);
    sketch_init(&batches, 7);
    sketch_init(&late, 7);
    for (size_t i = 0; i < VALUES; i++) {
        sketch_add(&forward, values[i]);
        sketch_add(&backward, values[VALUES - 1 - i]);
    }
    assert_same(&forward, &backward);
    for (size_t i = 0; i < VALUES; i += 250)
        assert_int_equal(sketch_add_many(&batches, values + i, 250), 0);
    assert_same(&forward, &batches);

    /* Seven arms in turn, merged from the last to the first; then records that come late. */
    for (size_t i = 0; i < 7; i++)
        sketch_init(&parts[i], 7);
    for (size_t i = 0; i + 1000 < VALUES; i++)
        sketch_add(&parts[random_u64(&(uint64_t){i}) % 7], values[i]);
    for (size_t i = 7; i-- > 0;) {
        assert_true(sketch_merge(&late, &parts[i]));
        sketch_release(&parts[i]);
    }
    for (size_t i = VALUES; i-- > VALUES - 1000;)
        sketch_add(&late, values[i]);
    assert_same(&forward, &late);
    sketch_release(&forward);
    sketch_release(&backward);
    sketch_release(&batches);
    sketch_release(&late);
    test_free(values);
}

static void downscaling_equals_counting_at_that_scale(void **state)
{
    (void)state;
    double *values = fill(wide, false);
    values[0] = 0;
    values[1] = 1e-8;
    values[2] = 1e20;
    struct sketch fine;
    sketch_init(&fine, 7);
    sketch_add_many(&fine, values, VALUES);
    for (int scale = 0; scale < 7; scale++) {
        struct sketch direct, merged, stepwise;
        sketch_init(&direct, scale);
        sketch_init(&merged, scale);
        sketch_init(&stepwise, scale + 1);
        sketch_add_many(&direct, values, VALUES);
        assert_true(sketch_merge(&merged, &fine));
        assert_same(&direct, &merged);
        assert_true(sketch_merge(&stepwise, &fine));
        sketch_clear(&merged);
        assert_true(sketch_merge(&merged, &stepwise));
        assert_same(&direct, &merged);
        assert_false(sketch_merge(&stepwise, &direct)); /* finer than its source */
        sketch_release(&direct);
        sketch_release(&merged);
        sketch_release(&stepwise);
    }
    sketch_release(&fine);
    test_free(values);
}

/* ---- single values ---- */

static void odd_values_are_refused_or_kept_apart(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    const double refused[] = {-1, -DBL_TRUE_MIN, -INFINITY, INFINITY, NAN, -NAN, -0x1p30};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(sketch_add(&s, refused[i]));
        sketch_prefetch_cell(&s, refused[i]);
    }
    assert_int_equal(sketch_add_many(&s, refused, 7), 7);
    assert_int_equal(sketch_count(&s), 0);
    assert_true(isnan(sketch_min(&s)) && isnan(sketch_max(&s)) && isnan(sketch_mean(&s)));
    assert_true(sketch_sum(&s) == 0);

    assert_true(sketch_add(&s, 0.0) && sketch_add(&s, -0.0));
    assert_true(sketch_add(&s, DBL_TRUE_MIN) && sketch_add(&s, 0x1p-20));
    assert_true(sketch_add(&s, 0x1.0000000000001p-20) && sketch_add(&s, 0x1p44));
    assert_true(sketch_add(&s, 0x1.0000000000001p44) && sketch_add(&s, DBL_MAX));
    assert_int_equal(s.zero, 2);
    assert_int_equal(s.underflow, 2);
    assert_int_equal(s.overflow, 2);
    assert_int_equal(sketch_count(&s), 8);
    assert_true(sketch_min(&s) == 0 && !signbit(sketch_min(&s)));
    assert_true(sketch_max(&s) == DBL_MAX);
    uint32_t cursor = 0;
    int32_t index;
    uint64_t count;
    assert_true(sketch_next(&s, &cursor, &index, &count));
    assert_int_equal(index, -2560);
    assert_int_equal(count, 1);
    assert_true(sketch_next(&s, &cursor, &index, &count));
    assert_int_equal(index, 5631);
    assert_false(sketch_next(&s, &cursor, &index, &count));
    assert_false(sketch_next(&s, &cursor, &index, &count));
    sketch_release(&s);
}

__extension__ typedef unsigned __int128 u128;

static void sum_and_mean_are_exact(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    uint64_t seed = 3;
    u128 units = 0;
    for (int i = 0; i < 100000; i++) {
        const double value = exp2(48 * random_uniform(&seed) - 2);
        const double kept = fmin(value, 0x1p44);
        sketch_add(&s, value);
        units += (u128)(kept * 0x1p20 + 0.5);
    }
    assert_true(s.sum_low == (uint64_t)units && s.sum_high == (uint64_t)(units >> 64));
    assert_true(s.sum_high > 0 && s.overflow > 0);

    sketch_clear(&s);
    for (int i = 0; i < 10; i++)
        sketch_add(&s, 0.1);
    assert_float_equal(sketch_sum(&s), 1, 10 * SKETCH_UNIT);
    assert_true(sketch_mean(&s) == 0.1); /* clamped to [min, max] */
    sketch_release(&s);
}

/* ---- counters that would overflow ---- */

static void counters_widen(void **state)
{
    (void)state;
    struct sketch s, copy, batch;
    sketch_init(&s, 7);
    sketch_add(&s, 10);
    sketch_add(&s, 20);
    const uint32_t at = s.page_of[grid_cell(10) / 128] * 128u + (uint32_t)grid_cell(10) % 128;
    s.counts.narrow[at] = UINT32_MAX - 1; /* as after four billion inserts */
    s.count = UINT32_MAX;
    sketch_init(&copy, 7);
    sketch_init(&batch, 7);
    assert_true(sketch_merge(&copy, &s));
    assert_true(sketch_merge(&batch, &s));
    assert_false(copy.wide);

    const double more[] = {10, 10, 10, 20, 10, 10};
    for (size_t i = 0; i < 6; i++)
        assert_true(sketch_add(&s, more[i]));
    assert_int_equal(sketch_add_many(&batch, more, 6), 0);
    assert_true(s.wide && batch.wide);
    assert_int_equal(s.count, UINT32_MAX + UINT64_C(6));
    assert_int_equal(sketch_count_above(&s, grid_index(10)), 2);
    assert_int_equal(sketch_count_at_or_below(&s, 16), UINT32_MAX + UINT64_C(4));
    assert_same(&s, &batch);

    /* wide into narrow, narrow into wide, and down a scale */
    struct sketch coarse;
    sketch_init(&coarse, 5);
    assert_true(sketch_merge(&copy, &s));
    assert_true(copy.wide);
    assert_true(sketch_merge(&coarse, &copy));
    assert_int_equal(coarse.count, 2 * (uint64_t)UINT32_MAX + 6);
    assert_int_equal(sketch_count_above(&coarse, grid_index(10) >> 2), 3);
    sketch_clear(&copy);
    assert_false(copy.wide);
    sketch_add(&copy, 30);
    assert_true(sketch_merge(&s, &copy));
    assert_int_equal(sketch_count_above(&s, grid_index(20)), 1);
    assert_true(sketch_memory(&s) > sketch_memory(&copy));
    sketch_release(&s);
    sketch_release(&copy);
    sketch_release(&batch);
    sketch_release(&coarse);
}

/* Doubling by merges of a copy: every counter width on the way to the end. */
static void the_count_has_an_end_that_is_refused(void **state)
{
    (void)state;
    struct sketch s, copy;
    sketch_init(&s, 7);
    sketch_add(&s, 0);
    sketch_add(&s, 3);
    for (int power = 2; power < 63; power++) {
        sketch_init(&copy, 7);
        assert_true(sketch_merge(&copy, &s));
        assert_true(sketch_merge(&s, &copy));
        sketch_release(&copy);
        assert_int_equal(s.count, UINT64_C(1) << power);
        assert_int_equal(s.zero, s.count / 2);
        assert_int_equal(sketch_count_above(&s, grid_index(2)), s.count / 2);
        assert_true(sketch_quantile(&s, 0.4) == 0);
        assert_float_equal(sketch_quantile(&s, 0.6), 3, 0.02);
    }
    sketch_init(&copy, 7);
    assert_true(sketch_merge(&copy, &s));
    assert_false(sketch_merge(&s, &copy)); /* 2^63 */
    assert_int_equal(s.count, UINT64_C(1) << 62);
    sketch_release(&s);
    sketch_release(&copy);
}

static void memory_is_what_was_promised(void **state)
{
    (void)state;
    struct sketch s;
    sketch_init(&s, 7);
    assert_true(sketch_memory(&s) < 200);
    for (int octave = 0; octave < 8; octave++)
        sketch_add(&s, exp2(octave) * 1.5);
    assert_true(sketch_memory(&s) <= 4300);
    sketch_clear(&s);
    assert_true(sketch_memory(&s) <= 4300);
    sketch_release(&s);
    assert_true(sketch_memory(&s) < 200);
    assert_true(sketch_add(&s, 1)); /* still an empty sketch */
    sketch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_the_bound),
        cmocka_unit_test(order_leaves_no_trace),
        cmocka_unit_test(downscaling_equals_counting_at_that_scale),
        cmocka_unit_test(odd_values_are_refused_or_kept_apart),
        cmocka_unit_test(sum_and_mean_are_exact),
        cmocka_unit_test(counters_widen),
        cmocka_unit_test(the_count_has_an_end_that_is_refused),
        cmocka_unit_test(memory_is_what_was_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
