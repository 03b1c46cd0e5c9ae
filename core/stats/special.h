/* special: the few special functions that the tests need. Room: stats. Threads: [any], pure. */
#ifndef PADDOCK_STATS_SPECIAL_H
#define PADDOCK_STATS_SPECIAL_H

#include <stddef.h>
#include <stdint.h>

/* P(Z <= x) for a standard normal Z. */
double normal_cdf(double x);
/* The x with normal_cdf(x) = p; -inf and +inf for p <= 0 and p >= 1. Accurate to about 1e-15
 * relative for p up to 1/2 (Acklam's rational approximation and one Halley step). */
double normal_quantile(double p);

/* Regularised incomplete beta function I_x(a, b), a and b > 0, 0 <= x <= 1, by the continued
 * fraction of Abramowitz and Stegun 26.5.8. About 1e-12; takes some sqrt(a + b) steps. */
double beta_cdf(double x, double a, double b);

/* ln of the beta function, a and b > 0. */
double log_beta(double a, double b);
/* ln of the number of ways to choose k of n, 0 <= k <= n. */
double log_choose(double n, double k);

/* P(X <= k) for X binomial with n trials of probability p. */
double binomial_cdf(uint64_t k, uint64_t n, double p);

/* P(X = k) of the same. */
double binomial_mass(uint64_t k, uint64_t n, double p);

/* P(T > t) for Student's T with df > 0 degrees of freedom (not necessarily whole). */
double student_tail(double t, double df);
/* The t with student_tail(t, df) = tail. */
double student_quantile(double tail, double df);

/* ln of the mean of exp(x[i]), n >= 1, without overflow. */
double log_mean_exp(const double *x, size_t n);

#endif
