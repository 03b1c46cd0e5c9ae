#include "stats/nightly.h"

#include "base/mem.h"
#include "stats/change_point.h"
#include "stats/discovery.h"
#include "stats/special.h"
#include "stats/trend.h"

#include <math.h>
#include <stdlib.h>

/* Sums over the pairs (x_i, x_(i-1)), i = 1.., of a prefix; x less the first value, so that a large
 * level does not eat the digits. */
struct sums {
    double n, now, before, now2, before2, product;
};

static void sums_add(struct sums *s, double now, double before)
{
    s->n++;
    s->now += now;
    s->before += before;
    s->now2 += now * now;
    s->before2 += before * before;
    s->product += now * before;
}

static double autocorrelation(const struct sums *s)
{
    const double now2 = s->now2 - s->now * s->now / s->n;
    const double before2 = s->before2 - s->before * s->before / s->n;
    const double product = s->product - s->now * s->before / s->n;
    const double scale = (now2 + before2) / 2;
    const double phi = scale > 0 ? product / scale : 0;
    return fmin(fmax(phi + (1 + 3 * phi) / (s->n + 1), 0), 0.8);
}

/* What z the value y has beside the prewhitened past. */
static double standardised(const struct sums *s, double phi, double y, double sd_least)
{
    const double mean = (s->now - phi * s->before) / s->n;
    const double squares = s->now2 - 2 * phi * s->product + phi * phi * s->before2;
    const double rest = squares - s->n * mean * mean;
    /* Below this it is rounding, not spread. */
    const double spread = rest > 1e-12 * squares ? sqrt(rest / (s->n - 1)) : 0;
    const double sd = fmax(spread, sd_least), off = y - mean;
    if (sd == 0)
        return fabs(off) <= 1e-9 * fabs(mean) ? 0 : copysign(NIGHTLY_CAP, off);
    const double tail = student_tail(fabs(off) / (sd * sqrt(1 + 1 / s->n)), s->n - 1);
    return copysign(fmin(-normal_quantile(tail), NIGHTLY_CAP), off);
}

/* P(C >= c) of a quiet series, see the header. */
static double tail_of(double c, enum nightly_side side)
{
    const double p = exp(-2 * NIGHTLY_SLACK * (c + 0.5826));
    return c > 0 ? fmin(side == NIGHTLY_BOTH ? 2 * p : p, 1) : 1;
}

struct cusum {
    double up, down;
};

static void step(struct cusum *c, double z, enum nightly_side side, const struct nightly *last,
                 struct nightly *out)
{
    if (side != NIGHTLY_DOWN)
        c->up = fmax(0, c->up + z - NIGHTLY_SLACK);
    if (side != NIGHTLY_UP)
        c->down = fmax(0, c->down - z - NIGHTLY_SLACK);
    out->judged = true;
    out->up = c->up > c->down;
    out->statistic = fmax(c->up, c->down);
    out->nights = out->statistic >= NIGHTLY_LIMIT ? last->nights + 1 : 0;
}

/* Does the least-squares line lean the harmful way, at two standard errors? Only then the dear test
 * is asked: what it would call significant passes here. */
static bool leans(const double *x, size_t n, enum nightly_side side)
{
    const double count = (double)n, middle = (count - 1) / 2;
    double mean = 0, product = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / count;
    for (size_t i = 0; i < n; i++) {
        product += ((double)i - middle) * (x[i] - mean);
        squares += (x[i] - mean) * (x[i] - mean);
    }
    const bool harmful = side == NIGHTLY_BOTH || (side == NIGHTLY_UP ? product > 0 : product < 0);
    const double explained = product * product / (count * (count * count - 1) / 12);
    return harmful && explained * (count - 2) > 4 * (squares - explained);
}

static double trend_p(const double *x, size_t n, enum nightly_side side)
{
    struct trend t;
    if (!leans(x, n, side) || !rather_a_line(x, n))
        return 1;
    trend_test_whitened(x, n, 0.95, &t);
    return t.p;
}

/* Both questions together. */
static void conclude(const double *values, size_t n, enum nightly_side side, struct nightly *out)
{
    out->trend_p = trend_p(values, n, side);
    out->p = fmin(2 * fmin(tail_of(out->statistic, side), out->trend_p), 1);
    out->candidate = out->nights >= NIGHTLY_PERSIST || out->trend_p <= NIGHTLY_TREND_P;
}

/* The statistic of every night; both questions are concluded for the nights from `concluded` on. */
static void run(const double *values, size_t n, enum nightly_side side, double sd_least,
                size_t concluded, struct nightly *trace)
{
    struct sums prefix[NIGHTLY_MOST + 1] = {{0}}; /* [i]: of the values before i */
    struct cusum c = {0, 0};
    for (size_t t = 0; t < n; t++) {
        const double now = values[t] - values[0], before = t ? values[t - 1] - values[0] : 0;
        trace[t] = (struct nightly){.p = 1, .trend_p = 1};
        if (t >= NIGHTLY_LEAST) {
            const size_t guarded = t - NIGHTLY_GUARD;
            const double phi =
                autocorrelation(&prefix[guarded < NIGHTLY_LEAST ? NIGHTLY_LEAST : guarded]);
            trace[t].phi = phi;
            const double z = standardised(&prefix[t], phi, now - phi * before, sd_least);
            step(&c, z, side, &trace[t - 1], &trace[t]);
            if (t >= concluded)
                conclude(values, t + 1, side, &trace[t]);
        }
        prefix[t + 1] = prefix[t];
        if (t > 0)
            sums_add(&prefix[t + 1], now, before);
    }
}

static const double *newest(const double *values, size_t *n)
{
    const size_t skipped = *n > NIGHTLY_MOST ? *n - NIGHTLY_MOST : 0;
    *n -= skipped;
    return values + skipped;
}

size_t nightly_trace(const double *values, size_t n, enum nightly_side side, double sd_least,
                     struct nightly *trace)
{
    values = newest(values, &n);
    run(values, n, side, sd_least, 0, trace);
    return n;
}

struct nightly nightly_judge(const double *values, size_t n, enum nightly_side side,
                             double sd_least)
{
    struct nightly trace[NIGHTLY_MOST];
    values = newest(values, &n);
    if (n == 0)
        return (struct nightly){.p = 1, .trend_p = 1};
    run(values, n, side, sd_least, n - 1, trace);
    return trace[n - 1];
}

size_t nightly_alarms(const struct nightly *series, size_t n, double q, bool *alarm)
{
    size_t found = 0;
    double *p = mem_zero(n + 1, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = series[i].judged ? series[i].p : NAN;
    discovery_adjust(p, n, p);
    for (size_t i = 0; i < n; i++) {
        alarm[i] = series[i].candidate && p[i] <= q;
        found += alarm[i];
    }
    free(p);
    return found;
}
