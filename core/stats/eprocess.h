/* eprocess: evidence that may be looked at again and again. Room: stats. Threads: one owner.
 *
 * Two arms count requests and hits (a hit is an error, or a latency above a threshold). Every look
 * is one batch of new counts. For a candidate that truly has at most `tolerance` times the
 * baseline's rate of hits, the evidence E passes 1/alpha with probability alpha at most, at any
 * time, however often one looks; a candidate that is worse makes E grow without end. No minimum
 * sample, no variance estimate; only counts of the same batch are compared, so a base rate that
 * drifts, traffic that ramps up and changing splits do no harm.
 *
 * With w the candidate's share of the batch's requests, k_c its hits, k all hits, r0 the tolerance
 * and r a ratio beyond it, the batch multiplies the evidence for r by
 *
 *     (r / r0)^k_c / ((1 - w + w r) / (1 - w + w r0))^k
 *
 * and E is the mean over a grid of r. Why it is valid: with rates p (baseline) and r0 p, and
 * R = (1 - w + w r) / (1 - w + w r0), the factor's expectation is
 *     (1 + r0 p (r / (r0 R) - 1))^n_c (1 + p (1 / R - 1))^n_b
 *     <= exp(p (n_c (r / R - r0) + n_b (1 / R - 1))) = exp(0),
 * less still for a smaller true ratio, whatever p is in that batch; then Ville's inequality (1939).
 * After Hoeffding 1963; Ramdas, Gruenwald, Vovk, Shafer 2023, "Game-theoretic statistics and safe
 * anytime-valid inference"; Lindon, Sanden, Shirikian 2022 (arXiv 2205.14762) for canaries.
 *
 * Hits that come in bursts break the independence that this needs. `dispersion` >= 1, the measured
 * variance over the expected one, divides the log evidence; eprocess_dispersion() estimates it. */
#ifndef PADDOCK_STATS_EPROCESS_H
#define PADDOCK_STATS_EPROCESS_H

#include "stats/interval.h"
#include "stats/sketch.h"

#include <stddef.h>

/* Counts of one batch, or of all. */
struct pair_counts {
    uint64_t candidate, candidate_hits;
    uint64_t baseline, baseline_hits;
};

enum eprocess_side {
    EPROCESS_WORSE,     /* evidence that the ratio of rates is above the tolerance: act */
    EPROCESS_NOT_WORSE, /* evidence that it is below: non-inferior, may be promoted */
};

#define EPROCESS_GRID              13
#define EPROCESS_DISPERSION_NEEDED 10 /* batches with hits before the estimate is used */

struct eprocess {
    enum eprocess_side side;
    double tolerance;
    double log_l[EPROCESS_GRID];     /* ln of the evidence for each ratio of the grid */
    double strongest[EPROCESS_GRID]; /* of it, >= 0, what the batch gave that spoke most for it */
    struct pair_counts total;        /* of the batches that counted */
    double share_hits;               /* sum of k w */
    double pearson;                  /* sum of (k_c - expected)^2 / variance */
    uint64_t hit_batches;            /* batches with hits */
};

/* `tolerance` > 0: the ratio of rates that is still accepted; 1: none worse at all. */
void eprocess_init(struct eprocess *e, enum eprocess_side side, double tolerance);

/* Take in one batch; hits <= requests (but where requests stand for an expected split only, any).
 * A batch in which an arm has no requests is left out. */
void eprocess_add(struct eprocess *e, const struct pair_counts *batch);

/* ln E, with `dispersion` >= 1 (1: independent hits). Alarm at >= ln(1/alpha) = -log(alpha); the
 * always-valid p-value is min(1, exp(-ln E)). Also require some hits of the candidate (3, say):
 * with a candidate of 5 % of the traffic, two hits against none give E = 20. */
double eprocess_log_e(const struct eprocess *e, double dispersion);

/* The same without the batch that spoke most for each ratio: evidence that no single burst of hits
 * can give, however large. Never more than eprocess_log_e(), so what holds for that holds for it;
 * it needs one batch more, about. */
double eprocess_log_e_but_one(const struct eprocess *e, double dispersion);

/* Estimated over-dispersion, >= 1; NaN before EPROCESS_DISPERSION_NEEDED batches had hits: wait. */
double eprocess_dispersion(const struct eprocess *e);

/* Confidence sequence for the ratio of the rates, candidate over baseline: it covers the true ratio
 * at all looks together with probability `level`. lo is 0 and hi is +inf where the data set no
 * limit within [1e-4, 1e4]. Takes about 20 us a batch. */
struct interval eprocess_ratio_interval(const struct pair_counts *batches, size_t n, double level,
                                        double dispersion);

/* Latency as counts. A hit of the baseline is a value above the upper edge of bucket `threshold`
 * (the bucket of a quantile of the baseline's past, sketch_quantile_index(), then frozen), a hit of
 * the candidate one above that edge times 2^(shift / 128); shift = grid_shift(tolerance, 7), 18 for
 * 10 %. The null is then: the candidate exceeds (1 + tolerance) T no oftener than the baseline
 * exceeds T. Bucket edges make the counts exact. Both sketches must have scale 7. Use tolerance 1
 * in eprocess_init(); evidence for several quantiles: log_mean_exp() of their ln E. */
struct pair_counts exceedance_counts(const struct sketch *candidate, const struct sketch *baseline,
                                     int32_t threshold, int32_t shift);

#endif
