#include "base/bucket.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t bucket(const char *salt, enum bucket_purpose purpose, const char *unit)
{
    return bucket_of(salt, purpose, unit, strlen(unit));
}

/* These may never change: a change moves every user of every flag. */
static void golden(void **state)
{
    (void)state;
    static const struct {
        const char *salt;
        enum bucket_purpose purpose;
        const char *unit;
        uint32_t bucket;
    } CASES[] = {
        {"checkout", BUCKET_GATE, "user-1", 52266},
        {"checkout", BUCKET_SPLIT, "user-1", 21314},
        {"checkout", BUCKET_LAYER, "user-1", 99201},
        {"checkout", BUCKET_GATE, "user-2", 10122},
        {"checkout", BUCKET_GATE, "", 22688},
        {"", BUCKET_GATE, "user-1", 65115},
        {"a", BUCKET_GATE, "bc", 27293},
        {"ab", BUCKET_GATE, "c", 56347},
        {"nba-props", BUCKET_SPLIT, "4711", 70694},
        {"nba-props", BUCKET_SPLIT, "\u00fc\u00f1\u00ef", 33633},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t got = bucket(CASES[i].salt, CASES[i].purpose, CASES[i].unit);
        if (got != CASES[i].bucket)
            fail_msg("{\"%s\", '%c', \"%s\", %u},", CASES[i].salt, CASES[i].purpose, CASES[i].unit,
                     got);
    }
    char unit[1000];
    memset(unit, 'x', sizeof unit);
    assert_int_equal(bucket_of("salt", BUCKET_GATE, unit, sizeof unit), 97654);
}

#define UNITS 100000
#define CELLS 20

static double chi_square(const uint32_t *counts, size_t n, double expected)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

/* Over 100 flags: each fills its cells evenly, and two of them are independent. Bounds are five
 * standard deviations of chi square (mean n-1, variance 2(n-1)): this is no lottery, for units and
 * salts are the same each time. */
static void uniform_and_independent(void **state)
{
    (void)state;
    static uint32_t first[UNITS];
    uint32_t counts[CELLS], pairs[100];
    double bound = (CELLS - 1) + 5 * sqrt(2.0 * (CELLS - 1));
    double pair_bound = 99 + 5 * sqrt(2.0 * 99);
    for (int flag = 0; flag < 100; flag++) {
        char salt[32], unit[32];
        memset(counts, 0, sizeof counts);
        memset(pairs, 0, sizeof pairs);
        snprintf(salt, sizeof salt, "flag-%d", flag);
        for (int i = 0; i < UNITS; i++) {
            snprintf(unit, sizeof unit, "user-%d", i);
            uint32_t b = bucket(salt, flag % 2 ? BUCKET_GATE : BUCKET_SPLIT, unit);
            counts[b / (BUCKETS / CELLS)]++;
            if (flag > 0)
                pairs[first[i] / (BUCKETS / 10) * 10 + b / (BUCKETS / 10)]++;
            first[i] = b; /* the next flag is compared with this one */
        }
        assert_true(chi_square(counts, CELLS, (double)UNITS / CELLS) < bound);
        if (flag > 0)
            assert_true(chi_square(pairs, 100, UNITS / 100.0) < pair_bound);
    }
}

/* Who is in says nothing about which arm he gets, though the salt is the same. */
static void gate_and_split_are_independent(void **state)
{
    (void)state;
    uint32_t pairs[100] = {0};
    char unit[32];
    for (int i = 0; i < UNITS; i++) {
        snprintf(unit, sizeof unit, "%d", i);
        pairs[bucket("s", BUCKET_GATE, unit) / (BUCKETS / 10) * 10 +
              bucket("s", BUCKET_SPLIT, unit) / (BUCKETS / 10)]++;
    }
    assert_true(chi_square(pairs, 100, UNITS / 100.0) < 99 + 5 * sqrt(2.0 * 99));
}

static void growing_moves_nobody_out(void **state)
{
    (void)state;
    static const uint32_t STEPS[] = {1000, 5000, 25000, 50000, 100000};
    struct share now[SHARES_MAX], next[SHARES_MAX];
    uint32_t want[2] = {0, BUCKETS};
    size_t n = shares_reweigh(NULL, 0, want, 2, now);
    for (size_t step = 0; step < 5; step++) {
        want[0] = STEPS[step];
        want[1] = BUCKETS - STEPS[step];
        size_t m = shares_reweigh(now, n, want, 2, next);
        for (uint32_t b = 0; b < BUCKETS; b++)
            if (share_at(now, n, b) == 0)
                assert_int_equal(share_at(next, m, b), 0);
        assert_int_equal(shares_moved(now, n, next, m), STEPS[step] - (step ? STEPS[step - 1] : 0));
        memcpy(now, next, sizeof now);
        n = m;
    }
}

static void halves_to_40_60_move_a_tenth(void **state)
{
    (void)state;
    struct share a[SHARES_MAX], b[SHARES_MAX];
    const double even[] = {50, 50}, uneven[] = {40, 60};
    uint32_t want[2];
    assert_true(shares_of_weights(even, 2, want));
    size_t n = shares_reweigh(NULL, 0, want, 2, a);
    assert_true(shares_of_weights(uneven, 2, want));
    size_t m = shares_reweigh(a, n, want, 2, b);
    assert_int_equal(shares_moved(a, n, b, m), 10000);
    uint32_t moved = 0;
    char unit[32];
    for (int i = 0; i < 10 * UNITS; i++) { /* so many that 0.1 % is three deviations of a draw */
        snprintf(unit, sizeof unit, "user-%d", i);
        uint32_t at = bucket("salt", BUCKET_SPLIT, unit);
        moved += share_at(a, n, at) != share_at(b, m, at);
    }
    double percent = moved * 100.0 / (10 * UNITS);
    print_message("of %d users %.3f %% moved\n", 10 * UNITS, percent);
    assert_true(fabs(percent - 10) < 0.1);
}

/* Any sequence of weights: the shares are exact, and no more moves than must. */
static void reweighing_is_minimal(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct share now[SHARES_MAX], next[SHARES_MAX];
    size_t n = 0;
    uint32_t want[5], before[5] = {0};
    for (int round = 0; round < 300; round++) {
        double weights[5];
        for (int i = 0; i < 5; i++)
            weights[i] = random_u64(&seed) % 4 ? random_uniform(&seed) : 0;
        weights[round % 5] += 0.1;
        assert_true(shares_of_weights(weights, 5, want));
        size_t m = shares_reweigh(now, n, want, 5, next);
        uint32_t have[5] = {0}, least = 0, at = 0;
        for (size_t i = 0; i < m; i++) {
            assert_int_equal(next[i].from, at); /* sorted, without gaps or overlaps */
            at = next[i].to;
            have[next[i].arm] += next[i].to - next[i].from;
        }
        assert_int_equal(at, BUCKETS);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(have[i], want[i]);
            least += want[i] > before[i] ? want[i] - before[i] : 0;
        }
        if (round > 0)
            assert_int_equal(shares_moved(now, n, next, m), least);
        memcpy(before, want, sizeof before);
        memcpy(now, next, sizeof now);
        n = m;
    }
}

static void weights_become_buckets(void **state)
{
    (void)state;
    static const struct {
        double weights[3];
        uint32_t want[3];
    } CASES[] = {
        {{1, 1, 1}, {33334, 33333, 33333}},          {{0.001, 99.999, 0}, {1, 99999, 0}},
        {{0.0000001, 100, 0}, {1, 99999, 0}},        {{0, 0, 5}, {0, 0, 100000}},
        {{33.3, 33.3, 33.4}, {33300, 33300, 33400}}, {{0.1, 0.2, 99.7}, {100, 200, 99700}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t want[3];
        assert_true(shares_of_weights(CASES[i].weights, 3, want));
        for (int arm = 0; arm < 3; arm++)
            assert_int_equal(want[arm], CASES[i].want[arm]);
    }
    const double none[] = {0, 0}, negative[] = {1, -1}, endless[] = {1, INFINITY};
    uint32_t want[2];
    assert_false(shares_of_weights(none, 2, want));
    assert_false(shares_of_weights(negative, 2, want));
    assert_false(shares_of_weights(endless, 2, want));
}

static void lookups(void **state)
{
    (void)state;
    const struct share shares[] = {{10, 20, 0}, {30, 40, 1}};
    assert_int_equal(share_at(shares, 2, 9), -1);
    assert_int_equal(share_at(shares, 2, 10), 0);
    assert_int_equal(share_at(shares, 2, 19), 0);
    assert_int_equal(share_at(shares, 2, 20), -1);
    assert_int_equal(share_at(shares, 2, 39), 1);
    assert_int_equal(share_at(shares, 2, 99999), -1);
    assert_int_equal(share_at(NULL, 0, 5), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(uniform_and_independent),
        cmocka_unit_test(gate_and_split_are_independent),
        cmocka_unit_test(growing_moves_nobody_out),
        cmocka_unit_test(halves_to_40_60_move_a_tenth),
        cmocka_unit_test(reweighing_is_minimal),
        cmocka_unit_test(weights_become_buckets),
        cmocka_unit_test(lookups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
