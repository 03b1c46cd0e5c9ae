/* mean_process: evidence about two means that may be looked at again and again. Room: stats.
 * Threads: one owner.
 *
 * Two arms give scores; every look is one batch of each arm's new ones. Arms are compared within a
 * batch only, so that scores which drift and splits which change do no harm (pooled over time the
 * two together look like a difference: Simpson's paradox). With n, m and v the count, mean and
 * variance of an arm in a batch,
 *
 *     omega = n_c n_b / (n_c + n_b),   S = sum omega (m_c - m_b),
 *     V = sum omega^2 (v_c / n_c + v_b / n_b)
 *
 * and, for "the candidate's mean is above the baseline's", Robbins' one-sided normal mixture:
 *
 *     ln E = 1/2 ln(4 r / (V + r)) + S^2 / (2 (V + r)) + ln Phi(S / sqrt(V + r)).
 *
 * E passes 1/alpha with probability alpha at most, however often one looks, as far as sums of
 * scores are normal: an approximation, good from some tens of scores on. r is the amount of data at
 * which E is sharpest; it is fixed once, from the spread of the first scores. Sources: Robbins
 * 1970; Howard, Ramdas, McAuliffe, Sekhon 2021 (arXiv 1810.08240); Waudby-Smith et al. 2021 (arXiv
 * 2103.06476) for the approximation. */
#ifndef PADDOCK_STATS_MEAN_PROCESS_H
#define PADDOCK_STATS_MEAN_PROCESS_H

#include "stats/interval.h"
#include "stats/moments.h"

#include <stdbool.h>
#include <stdint.h>

#define MEAN_PROCESS_LEAST 30 /* scores of each arm before there is evidence */

struct mean_process {
    double margin;                  /* > 0, of the scores' unit */
    double alpha, target;           /* what r is made of */
    struct moments candidate_waits; /* scores whose other arm has fewer than two yet */
    struct moments baseline_waits;
    double weighted, variance, weight;  /* S, V and the sum of omega */
    uint64_t candidate, baseline;       /* scores that counted, */
    double candidate_sum, baseline_sum; /* and what they add up to */
    double r;                           /* 0 until it is fixed */
};

/* `margin` > 0: the difference that still does not matter; the spread of scores is never taken to
 * be smaller than it (scores that are all equal so far do not prove that they always are). E is
 * sharpest when sum of omega is about `target` (the wanted number of the candidate's scores). */
void mean_process_init(struct mean_process *p, double margin, double alpha, double target);

/* Take in one batch, empty ones allowed. */
void mean_process_add(struct mean_process *p, const struct moments *candidate,
                      const struct moments *baseline);

/* ln E that the candidate's mean is more than `limit` above the baseline's (`up`), or more than
 * that below it (not `up`). 0 before MEAN_PROCESS_LEAST scores of each. */
double mean_process_log_e(const struct mean_process *p, bool up, double limit);

/* Stratified difference, candidate minus baseline; NaN before there is any. */
double mean_process_difference(const struct mean_process *p);

/* Confidence sequence for that difference, at all looks together; infinite before
 * MEAN_PROCESS_LEAST scores of each. */
struct interval mean_process_interval(const struct mean_process *p, double level);

#endif
