#include "stats/special.h"

#include <math.h>

double normal_cdf(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

/* Peter Acklam's approximation, relative error below 1.2e-9, for 0 < p <= 1/2. */
static double acklam(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    if (p < 0.02425) {
        const double q = sqrt(-2 * log(p));
        return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    }
    const double q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

double normal_quantile(double p)
{
    if (!(p > 0))
        return isnan(p) ? NAN : -INFINITY;
    if (p >= 1)
        return INFINITY;
    if (p > 0.5)
        return -normal_quantile(1 - p);
    const double x = acklam(p);
    const double u = (normal_cdf(x) - p) * sqrt(2 * M_PI) * exp(x * x / 2);
    return x - u / (1 + x * u / 2);
}

static double log_gamma(double x)
{
    int sign; /* lgamma() would write to a global variable */
    return lgamma_r(x, &sign);
}

/* ln Gamma(x) less Stirling's (x - 1/2) ln x - x + ln(2 pi) / 2, for x >= 10. */
static double stirling_rest(double x)
{
    const double r = 1 / (x * x);
    return (1.0 / 12 -
            r * (1.0 / 360 -
                 r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188 - r * 691.0 / 360360))))) /
           x;
}

/* Differences of large logarithms of gamma would lose the digits that matter; the large parts are
 * cancelled on paper instead (after Didonato and Morris 1992, TOMS 708). */
double log_beta(double a, double b)
{
    const double small = fmin(a, b), large = fmax(a, b);
    if (large < 10)
        return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
    const double ratio = small / large;
    const double rest = stirling_rest(large) - stirling_rest(small + large);
    if (small < 10)
        return log_gamma(small) + small - small * log(small + large) -
               (large - 0.5) * log1p(ratio) + rest;
    return 0.5 * log(2 * M_PI) - 0.5 * log(large) + (small - 0.5) * log(ratio / (1 + ratio)) -
           large * log1p(ratio) + stirling_rest(small) + rest;
}

double log_choose(double n, double k)
{
    return -log_beta(n - k + 1, k + 1) - log1p(n);
}

/* The continued fraction by Lentz's method; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    const uint64_t steps = 200 + (uint64_t)(20 * sqrt(a + b));
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (uint64_t i = 1; i <= steps; i++) {
        const double m = (double)i;
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        h *= d * (fabs(c) < tiny ? tiny : c);
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        const double change = d * (fabs(c) < tiny ? tiny : c);
        h *= change;
        if (fabs(change - 1) < 1e-15)
            break;
    }
    return h;
}

/* beta_cdf() given 1 - x as well, for arguments so near 1 that the difference is all they say. */
static double beta_cdf_of(double x, double rest, double a, double b)
{
    if (x <= 0 || rest <= 0)
        return x <= 0 ? 0 : 1;
    const double log_x = x > 0.5 ? log1p(-rest) : log(x);
    const double log_rest = rest > 0.5 ? log1p(-x) : log(rest);
    const double front = exp(a * log_x + b * log_rest - log_beta(a, b));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(rest, b, a) / b;
}

double beta_cdf(double x, double a, double b)
{
    return beta_cdf_of(x, 1 - x, a, b);
}

double binomial_cdf(uint64_t k, uint64_t n, double p)
{
    if (k >= n)
        return 1;
    return beta_cdf(1 - p, (double)(n - k), (double)k + 1);
}

double binomial_mass(uint64_t k, uint64_t n, double p)
{
    if (k > n)
        return 0;
    if (p <= 0 || p >= 1)
        return k == (p <= 0 ? 0 : n);
    const double hits = (double)k, misses = (double)(n - k);
    return exp(hits * log(p) + misses * log1p(-p) + log_choose((double)n, hits));
}

/* Hill's normal deviate for many degrees of freedom (1970, CACM algorithm 395), where the continued
 * fraction loses digits. t >= 0. */
static double student_normal(double t, double df)
{
    const double a = df - 0.5, b = 48 * a * a;
    const double y = a * log1p(t * t / df);
    const double rest = (((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y * y + 100 + b);
    return ((rest + y + 3) / b + 1) * sqrt(y);
}

double student_tail(double t, double df)
{
    if (isnan(t) || !(df > 0))
        return NAN;
    if (isinf(t))
        return t > 0 ? 0 : 1;
    const double square = t * t;
    const double x = df / (df + square), rest = square / (df + square);
    const double half = df > 1e5 ? normal_cdf(-student_normal(fabs(t), df))
                                 : 0.5 * beta_cdf_of(x, rest, df / 2, 0.5); /* P(T > |t|) */
    return t >= 0 ? half : 1 - half;
}

/* ln of Student's density at t. */
static double student_log_density(double t, double df)
{
    return -log_beta(df / 2, 0.5) - 0.5 * log(df) - (df + 1) / 2 * log1p(t * t / df);
}

double student_quantile(double tail, double df)
{
    if (isnan(tail) || !(df > 0))
        return NAN;
    if (tail <= 0 || tail >= 1)
        return tail <= 0 ? INFINITY : -INFINITY;
    if (tail > 0.5)
        return -student_quantile(1 - tail, df);
    /* The normal quantile is below the answer and the tail is convex: Newton climbs to it. */
    double t = -normal_quantile(tail);
    for (int i = 0; i < 400; i++) {
        const double step = (student_tail(t, df) - tail) / exp(student_log_density(t, df));
        t += step;
        if (fabs(step) <= 1e-15 * t)
            break;
    }
    return t;
}

double log_mean_exp(const double *x, size_t n)
{
    double most = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = fmax(most, x[i]);
    if (isinf(most))
        return most;
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    return most + log(sum / (double)n);
}
