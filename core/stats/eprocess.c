#include "stats/eprocess.h"

#include "stats/quantile.h"
#include "stats/special.h"

#include <math.h>
#include <string.h>

/* Ratios tried, beyond the tolerance: their spacing decides how close to the best single ratio E
 * comes. For EPROCESS_NOT_WORSE the reciprocals. */
static const double grid[EPROCESS_GRID] = {1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10, 20, 50};

void eprocess_init(struct eprocess *e, enum eprocess_side side, double tolerance)
{
    *e = (struct eprocess){.side = side, .tolerance = tolerance};
}

/* A batch's ln of evidence for each ratio of the grid. */
static void evidence_of(const struct pair_counts *batch, enum eprocess_side side, double tolerance,
                        double out[EPROCESS_GRID])
{
    const double n_c = (double)batch->candidate, n_b = (double)batch->baseline;
    const double k_c = (double)batch->candidate_hits;
    const double k = k_c + (double)batch->baseline_hits;
    const double w = n_c / (n_c + n_b);
    const double null = 1 - w + w * tolerance;
    for (size_t j = 0; j < EPROCESS_GRID; j++) {
        const double step = side == EPROCESS_WORSE ? grid[j] : 1 / grid[j];
        out[j] = k_c * log(step) - k * log1p(w * tolerance * (step - 1) / null);
    }
}

/* The batch's squared deviation over its variance, at the ratio seen so far. */
static void add_dispersion(struct eprocess *e, const struct pair_counts *batch)
{
    const double k_c = (double)batch->candidate_hits;
    const double k = k_c + (double)batch->baseline_hits;
    if (k == 0)
        return;
    const double w =
        (double)batch->candidate / ((double)batch->candidate + (double)batch->baseline);
    e->share_hits += k * w;
    e->hit_batches++;
    const double hits_c = (double)e->total.candidate_hits;
    const double hits = hits_c + (double)e->total.baseline_hits;
    const double share = (hits_c + 0.5) / (hits + 1), expected = e->share_hits / hits;
    const double odds = share / (1 - share) * (1 - expected) / expected;
    const double s = w * odds / (1 - w + w * odds);
    const double off = k_c - k * s;
    e->pearson += off * off / (k * s * (1 - s));
}

void eprocess_add(struct eprocess *e, const struct pair_counts *batch)
{
    if (batch->candidate == 0 || batch->baseline == 0)
        return;
    e->total.candidate += batch->candidate;
    e->total.candidate_hits += batch->candidate_hits;
    e->total.baseline += batch->baseline;
    e->total.baseline_hits += batch->baseline_hits;
    double given[EPROCESS_GRID];
    evidence_of(batch, e->side, e->tolerance, given);
    for (size_t j = 0; j < EPROCESS_GRID; j++) {
        e->log_l[j] += given[j];
        e->strongest[j] = fmax(e->strongest[j], given[j]);
    }
    add_dispersion(e, batch);
}

static double mixed(const double *log_l, double dispersion)
{
    double scaled[EPROCESS_GRID];
    for (size_t j = 0; j < EPROCESS_GRID; j++)
        scaled[j] = log_l[j] / fmax(dispersion, 1);
    return log_mean_exp(scaled, EPROCESS_GRID);
}

double eprocess_log_e(const struct eprocess *e, double dispersion)
{
    return mixed(e->log_l, dispersion);
}

double eprocess_log_e_but_one(const struct eprocess *e, double dispersion)
{
    double rest[EPROCESS_GRID];
    for (size_t j = 0; j < EPROCESS_GRID; j++)
        rest[j] = e->log_l[j] - e->strongest[j];
    return mixed(rest, dispersion);
}

double eprocess_dispersion(const struct eprocess *e)
{
    if (e->hit_batches < EPROCESS_DISPERSION_NEEDED)
        return NAN;
    return fmax(e->pearson / (double)e->hit_batches, 1);
}

struct question {
    const struct pair_counts *batches;
    size_t n;
    double dispersion, limit; /* ln E at which a ratio is excluded */
};

static bool excluded(const struct question *q, enum eprocess_side side, double log_ratio)
{
    double log_l[EPROCESS_GRID] = {0}, given[EPROCESS_GRID];
    for (size_t i = 0; i < q->n; i++) {
        if (q->batches[i].candidate == 0 || q->batches[i].baseline == 0)
            continue;
        evidence_of(&q->batches[i], side, exp(log_ratio), given);
        for (size_t j = 0; j < EPROCESS_GRID; j++)
            log_l[j] += given[j];
    }
    return mixed(log_l, q->dispersion) >= q->limit;
}

/* Evidence that the ratio is above r falls as r grows (and below: rises), so there is one place
 * where exclusion ends: search it from the excluded side. */
static double boundary(const struct question *q, enum eprocess_side side, double out, double in)
{
    if (!excluded(q, side, out))
        return out;
    for (int i = 0; i < 40; i++) {
        const double middle = (out + in) / 2;
        if (excluded(q, side, middle))
            out = middle;
        else
            in = middle;
    }
    return in;
}

struct interval eprocess_ratio_interval(const struct pair_counts *batches, size_t n, double level,
                                        double dispersion)
{
    const struct question q = {batches, n, dispersion, log(2 / (1 - level))};
    const double far = log(1e4);
    const double lo = boundary(&q, EPROCESS_WORSE, -far, far);
    const double hi = boundary(&q, EPROCESS_NOT_WORSE, far, -far);
    return (struct interval){lo <= -far ? 0 : exp(lo), hi >= far ? INFINITY : exp(hi)};
}

struct pair_counts exceedance_counts(const struct sketch *candidate, const struct sketch *baseline,
                                     int32_t threshold, int32_t shift)
{
    return (struct pair_counts){
        .candidate = candidate->count,
        .candidate_hits = sketch_count_above(candidate, threshold + shift),
        .baseline = baseline->count,
        .baseline_hits = sketch_count_above(baseline, threshold),
    };
}
