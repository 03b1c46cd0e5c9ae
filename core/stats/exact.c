#include "stats/exact.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

uint64_t nearest_rank(double q, uint64_t n)
{
    if (n <= 1 || !(q > 0))
        return n == 0 ? 0 : 1;
    if (q >= 1)
        return n;
    const double product = q * (double)n;
    const double rank = ceil(product - product * 0x1p-50);
    if (rank >= (double)n)
        return n;
    return rank < 1 ? 1 : (uint64_t)rank;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median3(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Move what is below `pivot` (or equal too, if `inclusive`) to the front; returns how many. Without
 * a branch on the data, so unpredictable values cost no more than sorted ones. */
static size_t partition(double *values, size_t n, double pivot, bool inclusive)
{
    size_t front = 0;
    for (size_t i = 0; i < n; i++) {
        const double value = values[i];
        values[i] = values[front];
        values[front] = value;
        front += inclusive ? value <= pivot : value < pivot;
    }
    return front;
}

/* Bring the values of the sorted `ranks` (0-based, relative to `values`) to their places. */
static void select_ranks(double *values, size_t n, size_t offset, const size_t *ranks, size_t k,
                         int depth)
{
    while (k > 0 && n > 1) {
        if (n <= 16 || depth-- == 0) { /* small, or an input made to defeat the pivot */
            qsort(values, n, sizeof *values, compare);
            return;
        }
        const double pivot = median3(values[n / 4], values[n / 2], values[n - 1 - n / 4]);
        size_t cut = partition(values, n, pivot, false);
        const bool least = cut == 0; /* nothing below: take the copies of the pivot off instead */
        if (least)
            cut = partition(values, n, pivot, true);
        size_t left = 0;
        while (left < k && ranks[left] - offset < cut)
            left++;
        if (!least) /* the copies are equal, hence in place */
            select_ranks(values, cut, offset, ranks, left, depth);
        values += cut;
        n -= cut;
        offset += cut;
        ranks += left;
        k -= left;
    }
}

void exact_quantiles(double *values, size_t n, const double *qs, double *out, size_t k)
{
    size_t ranks[EXACT_QUANTILES_MAX];
    if (k > EXACT_QUANTILES_MAX)
        k = EXACT_QUANTILES_MAX;
    for (size_t i = 0; i < k; i++) {
        if (n == 0) {
            out[i] = NAN;
            continue;
        }
        const size_t rank = nearest_rank(qs[i], n) - 1;
        size_t at = i;
        for (; at > 0 && ranks[at - 1] > rank; at--)
            ranks[at] = ranks[at - 1];
        ranks[at] = rank;
    }
    if (n == 0)
        return;
    int depth = 8;
    for (size_t left = n; left > 1; left /= 2)
        depth += 2;
    select_ranks(values, n, 0, ranks, k, depth);
    for (size_t i = 0; i < k; i++)
        out[i] = values[nearest_rank(qs[i], n) - 1];
}

double exact_quantile(double *values, size_t n, double q)
{
    double out;
    exact_quantiles(values, n, &q, &out, 1);
    return out;
}
