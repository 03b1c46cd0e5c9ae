#include "stats/rank_test.h"

#include "base/mem.h"
#include "stats/special.h"

#include <math.h>
#include <stdlib.h>

struct ranked {
    double value;
    bool first; /* of the sample x */
};

static int by_value(const void *a, const void *b)
{
    const double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;
    return (x > y) - (x < y);
}

/* The sum of ranks of x (equal values share theirs), and the sum of t^3 - t over groups of equal
 * values. */
static double rank_sum(struct ranked *all, size_t n, double *ties)
{
    double sum = 0;
    *ties = 0;
    qsort(all, n, sizeof *all, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        size_t first = 0;
        for (end = i; end < n && all[end].value == all[i].value; end++)
            first += all[end].first;
        const double t = (double)(end - i);
        sum += (double)first * ((double)(i + end + 1) / 2);
        *ties += t * t * t - t;
    }
    return sum;
}

/* P(U <= u) for samples of m <= n values without ties. With w(m, n, u) the probability of u: the
 * largest of all is of the one sample (then it beats all n) or of the other,
 *     w(m, n, u) = m / (m + n) w(m - 1, n, u - n) + n / (m + n) w(m, n - 1, u). */
static double exact_cdf(size_t m, size_t n, size_t u)
{
    const size_t width = m * n + 1;
    double *w = mem_zero((m + 1) * width, sizeof *w);
    for (size_t i = 0; i <= m; i++)
        w[i * width] = 1; /* n = 0: U is 0 */
    for (size_t j = 1; j <= n; j++) {
        /* In place: the row below is that of this j already, the row itself still of j - 1. */
        for (size_t i = 1; i <= m; i++) {
            const double take = (double)i / (double)(i + j), leave = (double)j / (double)(i + j);
            double *row = w + i * width;
            const double *below = row - width;
            for (size_t k = i * j + 1; k-- > 0;)
                row[k] = leave * row[k] + (k >= j ? take * below[k - j] : 0);
        }
    }
    double sum = 0;
    for (size_t k = 0; k <= u && k < width; k++)
        sum += w[m * width + k];
    free(w);
    return sum;
}

static double normal_p(double u, double nx, double ny, double ties)
{
    const double n = nx + ny;
    const double variance = nx * ny / 12 * (n + 1 - ties / (n * (n - 1)));
    if (!(variance > 0))
        return 1;
    const double off = fabs(u - nx * ny / 2) - 0.5; /* continuity */
    return fmin(erfc(off / sqrt(variance) * M_SQRT1_2), 1);
}

struct rank_test rank_test(const double *x, size_t nx, const double *y, size_t ny)
{
    struct rank_test out = {.superiority = NAN, .p = 1};
    if (nx == 0 || ny == 0)
        return out;
    struct ranked *all = mem_zero(nx + ny, sizeof *all);
    for (size_t i = 0; i < nx; i++)
        all[i] = (struct ranked){x[i], true};
    for (size_t i = 0; i < ny; i++)
        all[nx + i] = (struct ranked){y[i], false};
    double ties;
    const double ranks = rank_sum(all, nx + ny, &ties);
    free(all);
    const double pairs = (double)nx * (double)ny;
    out.u = ranks - (double)nx * ((double)nx + 1) / 2;
    out.superiority = out.u / pairs;
    const size_t fewer = nx < ny ? nx : ny, more = nx < ny ? ny : nx;
    out.exact = ties == 0 && fewer <= RANK_TEST_EXACT_MIN && more <= RANK_TEST_EXACT_MAX;
    if (out.exact)
        out.p = fmin(2 * exact_cdf(fewer, more, (size_t)fmin(out.u, pairs - out.u)), 1);
    else
        out.p = normal_p(out.u, (double)nx, (double)ny, ties);
    return out;
}
