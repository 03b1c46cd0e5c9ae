#include "stats/difference.h"

#include "stats/special.h"

#include <math.h>

static const struct difference UNKNOWN = {NAN, {-INFINITY, INFINITY}, 1};

/* An estimate with its standard error and the degrees of freedom of that. */
static struct difference by_student(double estimate, double error, double df, double level)
{
    if (error == 0)
        return (struct difference){estimate, {estimate, estimate}, estimate == 0};
    const double half = student_quantile((1 - level) / 2, df) * error;
    return (struct difference){
        .estimate = estimate,
        .interval = {estimate - half, estimate + half},
        .p = 2 * student_tail(fabs(estimate) / error, df),
    };
}

struct difference mean_difference(const struct sample *a, const struct sample *b, double level)
{
    struct difference out = UNKNOWN;
    out.estimate = a->mean - b->mean;
    if (!(a->n >= 2) || !(b->n >= 2))
        return out;
    const double va = a->variance / a->n, vb = b->variance / b->n, v = va + vb;
    /* As shares of v, which may be so small that its square is 0. */
    const double sa = v > 0 ? va / v : 0, sb = v > 0 ? vb / v : 0;
    const double df = 1 / (sa * sa / (a->n - 1) + sb * sb / (b->n - 1));
    return by_student(out.estimate, sqrt(v), df, level);
}

struct difference paired_difference(const struct sample *differences, double level)
{
    struct difference out = UNKNOWN;
    out.estimate = differences->mean;
    if (!(differences->n >= 2))
        return out;
    const double error = sqrt(differences->variance / differences->n);
    return by_student(out.estimate, error, differences->n - 1, level);
}

struct difference single_difference(double a, double b, const struct sample *past, double level)
{
    struct difference out = UNKNOWN;
    out.estimate = a - b;
    if (!(past->n >= 2))
        return out;
    return by_student(out.estimate, sqrt(2 * past->variance), past->n - 1, level);
}

/* ln of the probability of k1 hits among the first n1, given k hits among n1 + n2. */
static double log_hypergeometric(double k1, double n1, double k, double n2)
{
    return log_choose(n1, k1) + log_choose(n2, k - k1) - log_choose(n1 + n2, k);
}

double fisher_exact(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2)
{
    const uint64_t k = k1 + k2;
    const uint64_t least = k > n2 ? k - n2 : 0, most = k < n1 ? k : n1;
    const double seen = log_hypergeometric((double)k1, (double)n1, (double)k, (double)n2);
    double sum = 0;
    for (uint64_t i = least; i <= most; i++) {
        const double other = log_hypergeometric((double)i, (double)n1, (double)k, (double)n2);
        if (other <= seen + 1e-7) /* equal but for rounding */
            sum += exp(other);
    }
    return fmin(sum, 1);
}

static double least_expected(double k, double n1, double n2)
{
    const double n = n1 + n2;
    return fmin(k, n - k) * fmin(n1, n2) / n;
}

static double pooled_p(double estimate, double k, double n1, double n2)
{
    const double p = k / (n1 + n2);
    const double z = fabs(estimate) / sqrt(p * (1 - p) * (1 / n1 + 1 / n2));
    return erfc(z * M_SQRT1_2);
}

struct difference proportion_difference(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2,
                                        double level)
{
    if (n1 == 0 || n2 == 0)
        return UNKNOWN;
    const double p1 = (double)k1 / (double)n1, p2 = (double)k2 / (double)n2;
    const struct interval w1 = wilson_interval(k1, n1, level);
    const struct interval w2 = wilson_interval(k2, n2, level);
    struct difference out = {.estimate = p1 - p2};
    out.interval.lo = out.estimate - hypot(p1 - w1.lo, w2.hi - p2);
    out.interval.hi = out.estimate + hypot(w1.hi - p1, p2 - w2.lo);
    const double k = (double)k1 + (double)k2;
    const bool many = least_expected(k, (double)n1, (double)n2) >= 5;
    out.p = many ? pooled_p(out.estimate, k, (double)n1, (double)n2) : fisher_exact(k1, n1, k2, n2);
    return out;
}

static struct interval agresti_min(double b, double c, double n, double level)
{
    const double total = n + 2, estimate = (b - c) / total;
    const double variance = (b + c + 1) / total - estimate * estimate;
    const double half = -normal_quantile((1 - level) / 2) * sqrt(variance / total);
    return (struct interval){fmax(estimate - half, -1), fmin(estimate + half, 1)};
}

struct mcnemar mcnemar(uint64_t b, uint64_t c, uint64_t n, double level)
{
    struct mcnemar out = {1, 1, n ? ((double)b - (double)c) / (double)n : 0, {-1, 1}};
    const uint64_t fewer = b < c ? b : c, more = b < c ? c : b;
    if (n > 0)
        out.interval = agresti_min((double)b, (double)c, (double)n, level);
    if (more == 0)
        return out;
    out.p_exact = fmin(2 * binomial_cdf(fewer, b + c, 0.5), 1);
    const double off = fmax((double)(more - fewer) - 1, 0);
    out.p_corrected = erfc(off / sqrt(2 * ((double)b + (double)c)));
    return out;
}
