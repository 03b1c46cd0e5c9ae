#include "stats/grid.h"

#include "support/random.h"
#include "support/unit.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- numbers of up to 6,912 bits, to compare x^128 with 2^k exactly ---- */

enum { LIMBS = 216 };

struct big {
    uint32_t limb[LIMBS]; /* least significant first */
};

static struct big square(const struct big *a)
{
    struct big out = {{0}};
    for (size_t i = 0; i < LIMBS; i++) {
        uint64_t carry = 0;
        for (size_t k = 0; a->limb[i] && i + k < LIMBS; k++) {
            carry += out.limb[i + k] + (uint64_t)a->limb[i] * a->limb[k];
            out.limb[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    return out;
}

/* x^128 > 2^exponent, for x < 2^54. */
static bool power_above(uint64_t x, unsigned exponent)
{
    struct big a = {{(uint32_t)x, (uint32_t)(x >> 32)}};
    for (int i = 0; i < 7; i++)
        a = square(&a);
    int top = LIMBS - 1;
    while (a.limb[top] == 0)
        top--;
    const unsigned bits = 32 * (unsigned)top + 32 - (unsigned)__builtin_clz(a.limb[top]);
    if (bits != exponent + 1)
        return bits > exponent + 1;
    uint32_t rest = a.limb[top] & (a.limb[top] - 1); /* without the top bit */
    for (int i = 0; i < top; i++)
        rest |= a.limb[i];
    return rest != 0;
}

static void edges_are_integer_roots(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 128; k++) {
        const uint64_t edge = (UINT64_C(1) << 52) + grid_edges[k];
        assert_false(power_above(edge, 52 * 128 + k));
        assert_true(power_above(edge + 1, 52 * 128 + k));
    }
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Both neighbours of every edge in every octave that doubles have: 783,618 values. */
static void no_value_beside_an_edge_is_misplaced(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (uint64_t exponent = 1; exponent <= 2046; exponent++) {
        for (int k = 0; k < 128; k++) {
            const uint64_t bits = exponent << 52 | grid_edges[k];
            const int32_t index =
                ((int32_t)exponent - 1023) * 128 + k - 1; /* edge: the lower one */
            wrong += grid_index(from_bits(bits)) != index;
            wrong += grid_index(from_bits(bits + 1)) != index + 1;
            wrong += k > 0 && grid_index(from_bits(bits - 1)) != index;
        }
    }
    assert_int_equal(wrong, 0);
}

static void random_values_lie_between_their_edges(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int i = 0; i < 300000; i++) {
        const double value = exp2(60 * random_uniform(&seed) - 18);
        const int32_t index = grid_index(value);
        assert_int_equal(grid_cell(value), index + 2560);
        for (int scale = 0; scale <= 7; scale++) {
            const int32_t coarse = index >> (7 - scale);
            assert_true(value > grid_upper_edge(coarse - 1, scale));
            assert_true(value <= grid_upper_edge(coarse, scale));
        }
    }
}

static void what_is_no_positive_number_is_outside(void **state)
{
    (void)state;
    const double outside[] = {
        0.0,     -0.0,       DBL_TRUE_MIN, DBL_MIN,  0x1p-20,      0x1.0000000000001p44,
        DBL_MAX, INFINITY,   -INFINITY,    NAN,      -NAN,         -1.0,
        -0x1p-5, -0x1.8p+10, -DBL_MAX,     -DBL_MIN, -DBL_TRUE_MIN};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_true((uint32_t)grid_cell(outside[i]) >= GRID_CELLS);
    assert_int_equal(grid_cell(0x1.0000000000001p-20), 0);
    assert_int_equal(grid_cell(0x1p44), GRID_CELLS - 1);
    assert_true(grid_cell(DBL_TRUE_MIN) < 0);
}

static void constants_are_those_promised(void **state)
{
    (void)state;
    assert_float_equal(grid_error_bound_ratio(7), 0.00543, 0.000005);
    assert_float_equal(grid_error_bound_ratio(6), 0.0109, 0.00005);
    assert_float_equal(grid_error_bound_ratio(5), 0.0219, 0.00005);
    assert_int_equal(grid_shift(0.073, 7), 13);
    assert_int_equal(grid_shift(0.10, 7), 18);
    assert_int_equal(grid_shift(0.15, 7), 26);
    assert_int_equal(grid_shift(0.25, 7), 41);
    assert_int_equal(grid_shift(1, 5), 32);
    assert_int_equal(grid_shift(0, 7), 0);
    assert_true(grid_upper_edge(-1, 7) == 1);
    assert_true(grid_upper_edge(127, 7) == 2);
    assert_true(grid_upper_edge(-1 - 128, 7) == 0.5);
    assert_true(grid_upper_edge(4, 0) == 32);
    assert_float_equal(grid_interpolate(0, 0.5, 0), M_SQRT2, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_integer_roots),
        cmocka_unit_test(no_value_beside_an_edge_is_misplaced),
        cmocka_unit_test(random_values_lie_between_their_edges),
        cmocka_unit_test(what_is_no_positive_number_is_outside),
        cmocka_unit_test(constants_are_those_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
