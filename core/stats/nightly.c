#include "stats/nightly.h"

#include "base/mem.h"
#include "stats/discovery.h"
#include "stats/special.h"

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
    out->p = tail_of(out->statistic, side);
    out->nights = out->statistic >= NIGHTLY_LIMIT ? last->nights + 1 : 0;
}

size_t nightly_trace(const double *values, size_t n, enum nightly_side side, double sd_least,
                     struct nightly *trace)
{
    if (n > NIGHTLY_MOST) {
        values += n - NIGHTLY_MOST;
        n = NIGHTLY_MOST;
    }
    struct sums prefix[NIGHTLY_MOST + 1] = {{0}}; /* [i]: of the values before i */
    struct cusum c = {0, 0};
    for (size_t t = 0; t < n; t++) {
        const double now = values[t] - values[0], before = t ? values[t - 1] - values[0] : 0;
        trace[t] = (struct nightly){.p = 1};
        if (t >= NIGHTLY_LEAST) {
            const size_t guarded = t - NIGHTLY_GUARD;
            const double phi =
                autocorrelation(&prefix[guarded < NIGHTLY_LEAST ? NIGHTLY_LEAST : guarded]);
            trace[t].phi = phi;
            const double z = standardised(&prefix[t], phi, now - phi * before, sd_least);
            step(&c, z, side, &trace[t - 1], &trace[t]);
        }
        prefix[t + 1] = prefix[t];
        if (t > 0)
            sums_add(&prefix[t + 1], now, before);
    }
    return n;
}

struct nightly nightly_judge(const double *values, size_t n, enum nightly_side side,
                             double sd_least)
{
    struct nightly trace[NIGHTLY_MOST];
    const size_t nights = nightly_trace(values, n, side, sd_least, trace);
    return nights ? trace[nights - 1] : (struct nightly){.p = 1};
}

size_t nightly_alarms(const struct nightly *series, size_t n, double q, bool *alarm)
{
    size_t found = 0;
    double *p = mem_zero(n + 1, sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = series[i].judged ? series[i].p : NAN;
    discovery_adjust(p, n, p);
    for (size_t i = 0; i < n; i++) {
        alarm[i] = series[i].nights >= NIGHTLY_PERSIST && p[i] <= q;
        found += alarm[i];
    }
    free(p);
    return found;
}
