#include "stats/exact.h"

#include "support/random.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

static void ranks_are_those_people_mean(void **state)
{
    (void)state;
    static const struct {
        double q;
        uint64_t n, rank;
    } rows[] = {
        {0.5, 10, 5},
        {0.5, 11, 6},
        {0.95, 100, 95},
        {0.951, 100, 96},
        {0.07, 100, 7},
        {0.57, 100, 57},
        {0.999, 1000, 999},
        {0.9999, 10000, 9999},
        {0.99, 1, 1},
        {0, 10, 1},
        {-1, 10, 1},
        {1, 10, 10},
        {2, 10, 10},
        {0.5, 0, 0},
        {0.29, 100, 29},
        {0.001, 1000, 1},
        {0.0001, 1000, 1},
        {NAN, 10, 1},
        {0.99, 1000000000000, 990000000000},
        {1e-18, 1000, 1},
        {0.999999, 10, 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(nearest_rank(rows[i].q, rows[i].n), rows[i].rank);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Selection against sorting; the array must still hold the same values. */
static void check(const double *values, size_t n)
{
    static const double qs[] = {0.999, 0, 0.5, 0.95, 0.5, 1, 0.99, 0.01, 0.25};
    enum { K = sizeof qs / sizeof qs[0] };
    double *sorted = test_malloc(n * sizeof *sorted), *work = test_malloc(n * sizeof *work);
    memcpy(sorted, values, n * sizeof *sorted);
    memcpy(work, values, n * sizeof *work);
    qsort(sorted, n, sizeof *sorted, ascending);
    double out[K];
    exact_quantiles(work, n, qs, out, K);
    for (size_t i = 0; i < K; i++)
        assert_true(out[i] == sorted[nearest_rank(qs[i], n) - 1]);
    memcpy(work, values, n * sizeof *work);
    assert_true(exact_quantile(work, n, 0.99) == sorted[nearest_rank(0.99, n) - 1]);
    qsort(work, n, sizeof *work, ascending);
    assert_memory_equal(work, sorted, n * sizeof *work);
    test_free(sorted);
    test_free(work);
}

static void selection_equals_sorting(void **state)
{
    (void)state;
    enum { N = 10000 };
    static double values[N];
    uint64_t seed = 9;
    for (int kind = 0; kind < 8; kind++) {
        for (size_t i = 0; i < N; i++) {
            const double draw = random_latency(&seed), at = (double)i;
            const double kinds[] = {draw,        at,
                                    N - at,      42,
                                    i % 3,       i % 2 ? at : N - at,
                                    floor(draw), (double)(i * 7919 % N)};
            values[i] = kinds[kind];
        }
        for (size_t n = 1; n < 200; n++)
            check(values, n);
        check(values, N);
    }
}

static void an_empty_array_has_no_quantile(void **state)
{
    (void)state;
    double none = 0;
    assert_true(isnan(exact_quantile(&none, 0, 0.5)));
}

/* McIlroy's adversary ("A Killer Adversary for Quicksort", 1999), for this selection's choice of
 * pivot: run it on values not decided yet, and decide whatever is looked at to be as small as can
 * be, so that each round takes one or two values off only. */
static void decide_against_selection(double *values, size_t n)
{
    size_t *ids = test_malloc(n * sizeof *ids);
    double next = 0;
    for (size_t i = 0; i < n; i++) {
        ids[i] = i;
        values[i] = INFINITY;
    }
    for (size_t start = 0; n - start > 16;) {
        const size_t left = n - start, places[] = {left / 4, left / 2, left - 1 - left / 4};
        double three[3];
        for (size_t i = 0; i < 3; i++) {
            double *value = &values[ids[start + places[i]]];
            if (isinf(*value))
                *value = next++;
            three[i] = *value;
        }
        qsort(three, 3, sizeof three[0], ascending);
        for (int inclusive = 0; inclusive < 2; inclusive++) {
            size_t front = start;
            for (size_t i = start; i < n; i++) {
                const size_t id = ids[i];
                ids[i] = ids[front];
                ids[front] = id;
                front += inclusive ? values[id] <= three[1] : values[id] < three[1];
            }
            if (front > start) {
                start = front;
                break;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        if (isinf(values[i]))
            values[i] = next++;
    test_free(ids);
}

/* Here the recursion runs into its limit and sorts the rest. */
static void a_hostile_order_costs_little(void **state)
{
    (void)state;
    enum { N = 8000 };
    double *values = test_malloc(N * sizeof *values);
    for (size_t n = 17; n < 300; n++) {
        decide_against_selection(values, n);
        check(values, n);
    }
    decide_against_selection(values, N);
    check(values, N);
    test_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_those_people_mean),
        cmocka_unit_test(selection_equals_sorting),
        cmocka_unit_test(an_empty_array_has_no_quantile),
        cmocka_unit_test(a_hostile_order_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
