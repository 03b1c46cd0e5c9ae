#include "stats/mean_process.h"

#include "stats/special.h"

#include <math.h>

void mean_process_init(struct mean_process *p, double margin, double alpha, double target)
{
    *p = (struct mean_process){.margin = margin, .alpha = alpha, .target = target};
}

static bool ready(const struct mean_process *p)
{
    return p->candidate >= MEAN_PROCESS_LEAST && p->baseline >= MEAN_PROCESS_LEAST;
}

static double variance_or(const struct moments *m, double least)
{
    return fmax(moments_variance(m), least);
}

/* Only the scores' spread goes into r, not their means: E stays what it is for any r. */
static void fix_r(struct mean_process *p)
{
    const double one = p->variance / p->weight; /* variance of one score */
    const double a = 2 * p->alpha, depth = 2 * log(1 / a);
    p->r = p->target * one / (depth + log1p(depth));
}

void mean_process_add(struct mean_process *p, const struct moments *candidate,
                      const struct moments *baseline)
{
    struct moments *c = &p->candidate_waits, *b = &p->baseline_waits;
    moments_merge(c, candidate);
    moments_merge(b, baseline);
    if (c->count < 2 || b->count < 2)
        return;
    const double n_c = (double)c->count, n_b = (double)b->count;
    const double omega = n_c * n_b / (n_c + n_b), least = p->margin * p->margin;
    p->weighted += omega * (c->mean - b->mean);
    p->variance += omega * omega * (variance_or(c, least) / n_c + variance_or(b, least) / n_b);
    p->weight += omega;
    p->candidate += c->count;
    p->baseline += b->count;
    p->candidate_sum += n_c * c->mean;
    p->baseline_sum += n_b * b->mean;
    *c = *b = (struct moments){0};
    if (p->r == 0 && ready(p))
        fix_r(p);
}

/* ln Phi(z), also where Phi(z) is 0 in doubles (Abramowitz and Stegun 26.2.12). */
static double log_normal_cdf(double z)
{
    if (z > -30)
        return log(normal_cdf(z));
    return -z * z / 2 - log(-z) - log(2 * M_PI) / 2 + log1p(-1 / (z * z));
}

double mean_process_log_e(const struct mean_process *p, bool up, double limit)
{
    if (p->r == 0)
        return 0;
    const double s = (up ? p->weighted : -p->weighted) - limit * p->weight;
    const double spread = p->variance + p->r;
    return log(4 * p->r / spread) / 2 + s * s / (2 * spread) + log_normal_cdf(s / sqrt(spread));
}

double mean_process_difference(const struct mean_process *p)
{
    return p->weight > 0 ? p->weighted / p->weight : NAN;
}

struct interval mean_process_interval(const struct mean_process *p, double level)
{
    if (p->r == 0)
        return (struct interval){-INFINITY, INFINITY};
    const double spread = p->variance + p->r;
    const double half = sqrt(spread * (log(spread / p->r) + 2 * log(1 / (1 - level)))) / p->weight;
    const double middle = mean_process_difference(p);
    return (struct interval){middle - half, middle + half};
}
