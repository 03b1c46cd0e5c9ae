#include "stats/change_point.h"

#include "base/mem.h"
#include "stats/difference.h"
#include "stats/moments.h"

#include <math.h>
#include <stdlib.h>

/* Sums of |x_u - x_v| over rectangles, from their sums up to each corner. */
struct distances {
    size_t side; /* n + 1 */
    double *sum;
};

static void distances_init(struct distances *d, const double *x, size_t n)
{
    d->side = n + 1;
    d->sum = mem_zero(d->side * d->side, sizeof *d->sum);
    for (size_t u = 0; u < n; u++)
        for (size_t v = 0; v < n; v++)
            d->sum[(u + 1) * d->side + v + 1] = fabs(x[u] - x[v]) + d->sum[u * d->side + v + 1] +
                                                d->sum[(u + 1) * d->side + v] -
                                                d->sum[u * d->side + v];
}

/* Over u in [a, b) and v in [c, d). */
static double between(const struct distances *s, size_t a, size_t b, size_t c, size_t d)
{
    return s->sum[b * s->side + d] - s->sum[a * s->side + d] - s->sum[b * s->side + c] +
           s->sum[a * s->side + c];
}

/* Energy distance of [from, at) and [at, to), times its scale. */
static double energy(const struct distances *s, size_t from, size_t at, size_t to)
{
    const double m = (double)(at - from), n = (double)(to - at);
    const double cross = between(s, from, at, at, to) / (m * n);
    const double left = between(s, from, at, from, at) / (m * (m - 1));
    const double right = between(s, at, to, at, to) / (n * (n - 1));
    return m * n / (m + n) * (2 * cross - left - right);
}

static size_t best_split(const struct distances *s, size_t from, size_t to)
{
    size_t best = 0;
    double most = -INFINITY;
    for (size_t at = from + CHANGE_POINT_SIDE; at + CHANGE_POINT_SIDE <= to; at++) {
        for (size_t end = at + CHANGE_POINT_SIDE; end <= to; end++) {
            const double q = energy(s, from, at, end);
            if (q > most) {
                most = q;
                best = at;
            }
        }
    }
    return best;
}

static struct sample part(const double *x, size_t from, size_t to)
{
    struct moments m = {0};
    for (size_t i = from; i < to; i++)
        moments_add(&m, x[i]);
    return (struct sample){(double)m.count, m.mean, moments_variance(&m)};
}

/* The change between two parts that meet at `at`. */
static struct change_point change_at(const double *x, size_t from, size_t at, size_t to)
{
    const struct sample before = part(x, from, at), after = part(x, at, to);
    return (struct change_point){at, before.mean, after.mean,
                                 mean_difference(&after, &before, 0.95).p};
}

static bool matters(const struct change_point *c, const struct change_point_rules *rules)
{
    return c->p <= rules->p && fabs(c->after - c->before) >= rules->magnitude * fabs(c->before) &&
           c->after != c->before;
}

static void insert(size_t *cuts, size_t *n, size_t at)
{
    size_t i = (*n)++;
    for (; i > 0 && cuts[i - 1] > at; i--)
        cuts[i] = cuts[i - 1];
    cuts[i] = at;
}

/* Cut into parts until none has a change that matters: breadth first, the parts left to right. */
static size_t cut_all(const double *x, size_t n, const struct change_point_rules *rules,
                      size_t *cuts)
{
    struct distances d;
    size_t found = 0;
    distances_init(&d, x, n);
    for (size_t from = 0; from < n && found < CHANGE_POINTS_MAX;) {
        size_t to = n;
        for (size_t i = found; i-- > 0;)
            to = cuts[i] > from ? cuts[i] : to;
        const size_t at = best_split(&d, from, to);
        const struct change_point c =
            at ? change_at(x, from, at, to) : (struct change_point){.p = INFINITY};
        if (matters(&c, rules))
            insert(cuts, &found, at); /* then the part before it, again */
        else
            from = to;
    }
    free(d.sum);
    return found;
}

size_t change_points(const double *values, size_t n, const struct change_point_rules *rules,
                     struct change_point *out)
{
    static const struct change_point_rules defaults = {.p = 1e-4};
    const size_t skipped = n > CHANGE_POINT_VALUES ? n - CHANGE_POINT_VALUES : 0;
    const double *x = values + skipped;
    const size_t len = n - skipped;
    size_t cuts[CHANGE_POINTS_MAX + 1], kept = 0;
    const struct change_point_rules *r = rules ? rules : &defaults;
    const size_t found = len ? cut_all(x, len, r, cuts) : 0;
    for (size_t i = 0; i < found; i++) {
        /* Its neighbours are known only now, so the two parts are compared once more. */
        const size_t from = kept ? out[kept - 1].at - skipped : 0;
        struct change_point c = change_at(x, from, cuts[i], i + 1 < found ? cuts[i + 1] : len);
        if (!matters(&c, r))
            continue;
        c.at += skipped;
        out[kept++] = c;
    }
    return kept;
}

/* What the best line leaves, of values with this sum of squares about their mean. */
static double line_rest(const double *x, size_t n, double mean, double squares)
{
    const double middle = ((double)n - 1) / 2, count = (double)n;
    double product = 0;
    for (size_t i = 0; i < n; i++)
        product += ((double)i - middle) * (x[i] - mean);
    return squares - product * product / (count * (count * count - 1) / 12);
}

static double step_rest(const double *x, size_t n, double mean, double squares)
{
    double left = 0, most = 0; /* sum of the deviations before the step */
    for (size_t at = 1; at < n; at++) {
        left += x[at - 1] - mean;
        const double m = (double)at, rest = (double)(n - at);
        most = fmax(most, left * left * (1 / m + 1 / rest));
    }
    return squares - most;
}

bool rather_a_line(const double *values, size_t n)
{
    struct moments m = {0};
    for (size_t i = 0; i < n; i++)
        moments_add(&m, values[i]);
    if (n < 3 || m.squares == 0)
        return false;
    return line_rest(values, n, m.mean, m.squares) < step_rest(values, n, m.mean, m.squares);
}
