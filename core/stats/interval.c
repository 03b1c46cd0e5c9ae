#include "stats/interval.h"

#include "stats/quantile.h"
#include "stats/special.h"

#include <math.h>

static double two_sided_z(double level)
{
    return -normal_quantile((1 - level) / 2);
}

struct interval wilson_interval(uint64_t k, uint64_t n, double level)
{
    if (n == 0)
        return (struct interval){0, 1};
    const double z = two_sided_z(level), total = (double)n, p = (double)k / total;
    const double scale = 1 + z * z / total;
    const double middle = (p + z * z / (2 * total)) / scale;
    const double half = z / scale * sqrt(p * (1 - p) / total + z * z / (4 * total * total));
    return (struct interval){
        .lo = k == 0 ? 0 : middle - half,
        .hi = k >= n ? 1 : middle + half,
    };
}

struct counts {
    double k1, n1, k2, n2;
};

/* Koopman's statistic: the squared difference p1 - ratio * p2 over its variance, both at the most
 * likely probabilities under that ratio. */
static double score(const struct counts *c, double ratio)
{
    const double a = (c->n1 + c->n2) * ratio;
    const double b = ratio * (c->n1 + c->k2) + c->n2 + c->k1;
    const double root = sqrt(fmax(b * b - 4 * a * (c->k1 + c->k2), 0));
    const double p2 = 2 * (c->k1 + c->k2) / (b + root); /* the smaller root, without cancellation */
    const double p1 = fmin(ratio * p2, 1);
    const double variance = p1 * (1 - p1) / c->n1 + ratio * ratio * p2 * (1 - p2) / c->n2;
    const double difference = c->k1 / c->n1 - ratio * c->k2 / c->n2;
    return difference == 0 ? 0 : difference * difference / variance;
}

/* The ratio between `inside` (statistic below the limit) and `outside` (above) where it is met;
 * both as logarithms. */
static double solve(const struct counts *c, double limit, double inside, double outside)
{
    for (int i = 0; i < 60; i++) {
        const double middle = (inside + outside) / 2;
        if (score(c, exp(middle)) < limit)
            inside = middle;
        else
            outside = middle;
    }
    return exp((inside + outside) / 2);
}

struct interval ratio_interval(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level)
{
    struct interval out = {0, INFINITY};
    if (n1 == 0 || n2 == 0 || (k1 == 0 && k2 == 0))
        return out;
    const struct counts c = {(double)k1, (double)n1, (double)k2, (double)n2};
    const double z = two_sided_z(level), limit = z * z;
    const double far = 60; /* e^60: past any ratio of 64-bit counts */
    const double estimate = k1 == 0 ? -far : k2 == 0 ? far : log(c.k1 / c.n1) - log(c.k2 / c.n2);
    if (k1 > 0)
        out.lo = solve(&c, limit, estimate, -far);
    if (k2 > 0)
        out.hi = solve(&c, limit, estimate, far);
    return out;
}

/* The smallest k with P(X <= k) >= p (`strict`: > p) for X binomial(n, q). */
static uint64_t binomial_quantile(uint64_t n, double q, double p, bool strict)
{
    uint64_t lo = 0, hi = n;
    while (lo < hi) {
        const uint64_t middle = lo + (hi - lo) / 2;
        const double cdf = binomial_cdf(middle, n, q);
        if (strict ? cdf > p : cdf >= p)
            hi = middle;
        else
            lo = middle + 1;
    }
    return lo;
}

void quantile_ranks(uint64_t n, double q, double level, uint64_t *lower, uint64_t *upper)
{
    const double tail = (1 - level) / 2;
    const double mean = (double)n * q, variance = mean * (1 - q);
    if (variance > 10000) {
        const double half = two_sided_z(level) * sqrt(variance);
        *lower = (uint64_t)fmax(floor(mean - half), 0);
        *upper = (uint64_t)fmin(ceil(mean + half) + 1, (double)n + 1);
        return;
    }
    *lower = binomial_quantile(n, q, tail, true);
    *upper = binomial_quantile(n, q, 1 - tail, false) + 1;
}

struct interval quantile_interval(const struct sketch *s, double q, double level)
{
    struct interval out = {0, INFINITY};
    if (s->count == 0)
        return out;
    uint64_t lower, upper;
    double other;
    quantile_ranks(s->count, q, level, &lower, &upper);
    if (lower > 0)
        sketch_edges_of_rank(s, lower, &out.lo, &other);
    if (upper <= s->count)
        sketch_edges_of_rank(s, upper, &other, &out.hi);
    return out;
}
