/* nightly: has a figure that is taken once a night got worse for good? Room: stats.
 * Threads: [any], pure.
 *
 * A one-sided CUSUM on standardised, prewhitened values. Of each night's value x_t:
 *
 *   phi = lag-1 autocorrelation of the nights up to t - NIGHTLY_GUARD (so that a change under way
 *         does not hide itself), corrected for its bias (1 + 3 phi) / n (Kendall 1954), 0..0.8;
 *   y_i = x_i - phi x_(i-1) for all i <= t;
 *   z   = the normal value with the same tail as (y_t - mean) / (sd sqrt(1 + 1/m)) has in Student's
 *         distribution, mean and sd being those of the m values before t: for independent normal
 *         values these z are exactly independent and normal, however short the past (the
 *         self-starting CUSUM, Hawkins 1987). No more than NIGHTLY_CAP, so that one odd night
 *         cannot do it alone;
 *   C_t = max(0, C_(t-1) + z - NIGHTLY_SLACK), from 0 at night NIGHTLY_LEAST on (Page 1954).
 *
 * A candidate needs C >= NIGHTLY_LIMIT on NIGHTLY_PERSIST nights in a row. C says how unlikely that
 * is, too: P(C_t >= c) <= exp(-2 k (c + 0.583)) for slack k (Siegmund 1985).
 *
 * A climb that was there from the first night on looks like autocorrelation to all this; so where a
 * line fits better than a step, the series is a candidate as well if Mann-Kendall's p of the
 * whitened values (stats/trend.h) is NIGHTLY_TREND_P or less. Two questions: p is twice the smaller
 * of the two. Of one night's many series nightly_alarms() takes those candidates that Benjamini and
 * Hochberg let through.
 *
 * Simulated (tests/bench/nightly): see docs/regressions.md. */
#ifndef PADDOCK_STATS_NIGHTLY_H
#define PADDOCK_STATS_NIGHTLY_H

#include <stdbool.h>
#include <stddef.h>

#define NIGHTLY_LEAST   30  /* nights before any judgement */
#define NIGHTLY_MOST    180 /* of a longer series the newest count */
#define NIGHTLY_GUARD   15
#define NIGHTLY_SLACK   0.5
#define NIGHTLY_LIMIT   5.0
#define NIGHTLY_CAP     3.0
#define NIGHTLY_PERSIST 2
#define NIGHTLY_TREND_P 0.001

/* Which way is worse. */
enum nightly_side { NIGHTLY_UP, NIGHTLY_DOWN, NIGHTLY_BOTH };

struct nightly {
    bool judged;      /* there were more than NIGHTLY_LEAST nights */
    double phi;       /* autocorrelation that was taken out */
    double statistic; /* C of this night; the larger one for both sides */
    bool up;          /* which way, if it is above 0 */
    size_t nights;    /* in a row that C was at NIGHTLY_LIMIT or above, this one last */
    double trend_p;   /* Mann-Kendall; 1 where a step fits better or it goes the good way */
    double p;         /* of both questions, of a quiet series; 1 if not judged */
    bool candidate;   /* the series on its own would alarm */
};

/* Judge the last of `n` finite values. `sd_least` >= 0: a smaller spread is taken for this one
 * (what the measurement cannot be more exact than); a series without any spread moves by the cap
 * when it moves. */
struct nightly nightly_judge(const double *values, size_t n, enum nightly_side side,
                             double sd_least);
/* The same for every night: `trace` has room for min(n, NIGHTLY_MOST), the oldest first. Returns
 * how many. What it says of a night depends on that and earlier ones only. */
size_t nightly_trace(const double *values, size_t n, enum nightly_side side, double sd_least,
                     struct nightly *trace);

/* Which of one night's `n` series are to be told: `alarm[i]`, and their number. Of these a share of
 * `q` is false on average. */
size_t nightly_alarms(const struct nightly *series, size_t n, double q, bool *alarm);

#endif
