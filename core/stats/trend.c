#include "stats/trend.h"

#include "base/mem.h"
#include "stats/exact.h"
#include "stats/special.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kendall's variance of s: n (n - 1) (2n + 5) / 18 less the same for each group of equal values.
 * Counts the pairs of equal values. */
static double variance_of_s(const double *values, size_t n, double *tied_pairs)
{
    double *sorted = mem_alloc(n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i];
    qsort(sorted, n, sizeof *sorted, ascending);
    const double all = (double)n;
    double sum = all * (all - 1) * (2 * all + 5);
    *tied_pairs = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];)
            end++;
        const double ties = (double)(end - i);
        sum -= ties * (ties - 1) * (2 * ties + 5);
        *tied_pairs += ties * (ties - 1) / 2;
    }
    free(sorted);
    return sum / 18;
}

/* All slopes of pairs, ascending, in memory that the caller frees. Adds up the signs in `s`. */
static double *pair_slopes(const double *x, const double *values, size_t n, double *s)
{
    double *slopes = mem_alloc(n * (n - 1) / 2 * sizeof *slopes);
    size_t at = 0;
    *s = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n; k++) {
            const double rise = values[k] - values[i];
            slopes[at++] = rise / (x ? x[k] - x[i] : (double)(k - i));
            *s += (rise > 0) - (rise < 0);
        }
    }
    qsort(slopes, at, sizeof *slopes, ascending);
    return slopes;
}

static struct interval sen_interval(const double *slopes, size_t pairs, double variance,
                                    double level)
{
    const double half = -normal_quantile((1 - level) / 2) * sqrt(variance);
    const double low = fmax(rint(((double)pairs - half) / 2) - 1, 0);
    const double high = fmin(rint(((double)pairs + half) / 2), (double)pairs - 1);
    return (struct interval){slopes[(size_t)low], slopes[(size_t)high]};
}

void trend_test(const double *x, const double *values, size_t n, double level, struct trend *out)
{
    *out = (struct trend){.p = 1, .slope = NAN, .slope_interval = {-INFINITY, INFINITY}};
    if (n < 2)
        return;
    if (n > TREND_POINTS_MAX) {
        values += n - TREND_POINTS_MAX;
        x = x ? x + (n - TREND_POINTS_MAX) : NULL;
        n = TREND_POINTS_MAX;
    }
    const size_t pairs = n * (n - 1) / 2;
    double *slopes = pair_slopes(x, values, n, &out->s);
    double tied_pairs;
    out->variance = variance_of_s(values, n, &tied_pairs);
    if ((double)pairs > tied_pairs)
        out->tau = out->s / sqrt((double)pairs * ((double)pairs - tied_pairs));
    if (out->variance > 0) {
        const double nearer = out->s - (out->s > 0) + (out->s < 0); /* continuity correction */
        out->z = nearer / sqrt(out->variance);
        out->p = fmin(2 * normal_cdf(-fabs(out->z)), 1);
    }
    out->slope = (slopes[(pairs - 1) / 2] + slopes[pairs / 2]) / 2;
    out->slope_interval = sen_interval(slopes, pairs, out->variance, level);
    free(slopes);
}

/* Lag-1 autocorrelation of what a line leaves, not below 0, corrected for its bias, which is twice
 * that about a mean (Kendall 1954; van Giersbergen 2005). */
static double autocorrelation(const double *x, size_t n)
{
    double mean = 0, squares = 0, products = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        if (i > 0)
            products += (x[i] - mean) * (x[i - 1] - mean);
    }
    const double phi = squares > 0 ? products / squares : 0;
    return fmin(fmax(phi + (2 + 4 * phi) / (double)n, 0), 0.9);
}

void trend_test_whitened(const double *values, size_t n, double level, struct trend *out)
{
    if (n > TREND_POINTS_MAX) {
        values += n - TREND_POINTS_MAX;
        n = TREND_POINTS_MAX;
    }
    trend_test(NULL, values, n, level, out);
    if (n < 3)
        return;
    double rest[TREND_POINTS_MAX], white[TREND_POINTS_MAX];
    for (size_t i = 0; i < n; i++)
        rest[i] = values[i] - out->slope * (double)i;
    const double phi = autocorrelation(rest, n);
    for (size_t i = 1; i < n; i++)
        white[i - 1] = values[i] - phi * values[i - 1];
    const double slope = out->slope;
    const struct interval slope_interval = out->slope_interval;
    trend_test(NULL, white, n - 1, level, out);
    out->slope = slope;
    out->slope_interval = slope_interval;
}
