#include "stats/moments.h"

#include "base/hash.h"

#include "support/random.h"
#include "support/unit.h"

#include <string.h>

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

/* Expected: numpy.mean and numpy.var(ddof=1). */
static void mean_and_variance_are_right(void **state)
{
    (void)state;
    static const double values[] = {0.18, -2.5, 3.25, 1e6, 7};
    struct moments m = {0};
    assert_true(isnan(moments_variance(&m)));
    for (size_t i = 0; i < 5; i++)
        moments_add(&m, values[i]);
    assert_int_equal(m.count, 5);
    assert_near(m.mean, 200001.586);
    assert_near(moments_variance(&m), 199999207013.317);
    assert_true(m.min == -2.5 && m.max == 1e6);
    struct moments one = {0};
    moments_add(&one, 3);
    assert_true(moments_variance(&one) == 0 && one.min == 3 && one.max == 3 && one.mean == 3);
}

static void a_large_offset_does_not_cancel(void **state)
{
    (void)state;
    struct moments m = {0};
    for (int i = 0; i < 1000; i++)
        moments_add(&m, 1e9 + i % 2);
    assert_true(fabs(moments_variance(&m) - 0.25 * 1000 / 999) < 1e-9);
}

static void merging_equals_the_whole(void **state)
{
    (void)state;
    struct moments whole = {0}, parts[3] = {{0}}, merged = {0};
    uint64_t seed = 2;
    for (int i = 0; i < 3000; i++) {
        const double value = random_normal(&seed) * 5 + 100;
        moments_add(&whole, value);
        moments_add(&parts[i % 7 == 0 ? 0 : i % 2 + 1], value);
    }
    moments_merge(&merged, &(struct moments){0});
    assert_int_equal(merged.count, 0);
    for (int i = 0; i < 3; i++)
        moments_merge(&merged, &parts[i]);
    moments_merge(&merged, &(struct moments){0});
    assert_int_equal(merged.count, whole.count);
    assert_near(merged.mean, whole.mean);
    assert_near(moments_variance(&merged), moments_variance(&whole));
    assert_true(merged.min == whole.min && merged.max == whole.max);
}

static void bytes_come_back_or_are_refused(void **state)
{
    (void)state;
    struct moments m = {0}, back;
    struct bytes data = BYTES_INIT(100);
    struct err e = {0};
    assert_true(moments_encode(&m, &data)); /* the empty state has a form too */
    assert_true(moments_decode(&back, data.data, data.len, &e));
    assert_memory_equal(&m, &back, sizeof m);
    moments_add(&m, -1.5);
    moments_add(&m, 0.25);
    bytes_clear(&data);
    assert_true(moments_encode(&m, &data));
    assert_int_equal(data.len, MOMENTS_ENCODED_SIZE);
    assert_true(moments_decode(&back, data.data, data.len, &e));
    assert_memory_equal(&m, &back, sizeof m);

    uint8_t copy[MOMENTS_ENCODED_SIZE];
    assert_false(moments_decode(&back, data.data, data.len - 1, &e));
    for (size_t bit = 0; bit < 8 * sizeof copy; bit++) {
        memcpy(copy, data.data, sizeof copy);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(moments_decode(&back, copy, sizeof copy, &e));
        assert_ptr_equal(e.kind, &ERR_CORRUPT);
        assert_int_equal(back.count, 0);
    }
    for (size_t field = 1; field < 5; field++) { /* not a number, checksum right */
        memcpy(copy, data.data, sizeof copy);
        memset(copy + 1 + 8 * field, 0xFF, 8);
        const uint32_t sum = checksum32(copy, sizeof copy - 4);
        for (int i = 0; i < 4; i++)
            copy[sizeof copy - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
        assert_false(moments_decode(&back, copy, sizeof copy, &e));
    }
    bytes_release(&data);
    data = BYTES_INIT(10);
    assert_false(moments_encode(&m, &data));
    bytes_release(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_variance_are_right),
        cmocka_unit_test(a_large_offset_does_not_cancel),
        cmocka_unit_test(merging_equals_the_whole),
        cmocka_unit_test(bytes_come_back_or_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
