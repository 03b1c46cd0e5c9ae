#include "stats/quantile.h"

#include "stats/exact.h"

#include <math.h>

/* Where a rank lies: a cell, or ZERO or UNDER below all cells, or sketch_cells() for overflow. */
enum { ZERO = -2, UNDER = -1 };

struct place {
    int32_t cell;
    uint64_t before, here; /* values below the place, values in it */
};

static uint64_t page_total(const struct sketch *s, uint32_t page)
{
    const size_t from = (size_t)page * SKETCH_PAGE;
    if (s->wide || s->count > UINT32_MAX) {
        uint64_t total = 0;
        for (size_t i = from; i < from + SKETCH_PAGE; i++)
            total += sketch_counter(s, i);
        return total;
    }
    const uint32_t *const counts = s->counts.narrow + from;
    uint32_t total = 0; /* 32 bits hold the count, and add up faster */
    for (size_t i = 0; i < SKETCH_PAGE; i++)
        total += counts[i];
    return total;
}

/* The cell of page number `at` of page_of that holds `rank`; it is known to be there. */
static struct place find_in_page(const struct sketch *s, uint32_t at, uint64_t rank,
                                 uint64_t before)
{
    const size_t from = (size_t)s->page_of[at] * SKETCH_PAGE;
    for (uint32_t i = 0;; i++) {
        const uint64_t here = sketch_counter(s, from + i);
        if (rank <= before + here)
            return (struct place){(int32_t)(at * SKETCH_PAGE + i), before, here};
        before += here;
    }
}

/* Where the value of a rank 1..count lies. */
static struct place place_of(const struct sketch *s, uint64_t rank)
{
    if (rank <= s->zero)
        return (struct place){ZERO, 0, s->zero};
    uint64_t before = s->zero;
    if (rank <= before + s->underflow)
        return (struct place){UNDER, before, s->underflow};
    before += s->underflow;
    for (uint32_t at = 0; at < GRID_OCTAVES; at++) {
        if (s->page_of[at] == SKETCH_NO_PAGE)
            continue;
        const uint64_t total = page_total(s, s->page_of[at]);
        if (rank <= before + total)
            return find_in_page(s, at, rank, before);
        before += total;
    }
    return (struct place){(int32_t)sketch_cells(s), before, s->overflow};
}

static void edges(const struct sketch *s, int32_t cell, double *lo, double *hi)
{
    const int32_t index = cell + sketch_first_index(s);
    *lo = cell < 0 ? 0 : grid_upper_edge(index - 1, s->scale);
    *hi = cell == ZERO ? 0 : grid_upper_edge(index, s->scale);
    if ((uint32_t)cell == sketch_cells(s))
        *hi = INFINITY;
}

static double clamp(double value, double lo, double hi)
{
    return value < lo ? lo : value > hi ? hi : value;
}

void sketch_edges_of_rank(const struct sketch *s, uint64_t rank, double *lo, double *hi)
{
    *lo = *hi = NAN;
    if (s->count == 0)
        return;
    if (rank <= 1) {
        *lo = *hi = s->min;
    } else if (rank >= s->count) {
        *lo = *hi = s->max;
    } else {
        edges(s, place_of(s, rank).cell, lo, hi);
        *lo = clamp(*lo, s->min, s->max);
        *hi = clamp(*hi, s->min, s->max);
    }
}

void sketch_rank_bounds(const struct sketch *s, double q, double *lo, double *hi)
{
    sketch_edges_of_rank(s, nearest_rank(q, s->count), lo, hi);
}

double sketch_quantile(const struct sketch *s, double q)
{
    if (s->count == 0)
        return NAN;
    const uint64_t rank = nearest_rank(q, s->count);
    if (rank == 1)
        return s->min;
    if (rank == s->count)
        return s->max;
    const struct place p = place_of(s, rank);
    const double fraction = ((double)(rank - p.before) - 0.5) / (double)p.here;
    double lo, hi;
    if (p.cell >= 0 && (uint32_t)p.cell < sketch_cells(s))
        return clamp(grid_interpolate(p.cell + sketch_first_index(s), fraction, s->scale), s->min,
                     s->max);
    /* Outside the domain there are no edges on both sides: a straight line to min or max. */
    edges(s, p.cell, &lo, &hi);
    lo = p.cell == UNDER && s->zero > 0 ? 0 : fmax(lo, s->min);
    hi = fmin(hi, s->max);
    return clamp(lo + (hi - lo) * fraction, s->min, s->max);
}

double sketch_quantile_promql(const struct sketch *s, double q)
{
    if (isnan(q) || s->count == 0)
        return q < 0 ? -INFINITY : q > 1 ? INFINITY : NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;

    const double n = (double)s->count;
    const double rank = q < 0.5 ? q * n : (1 - q) * n; /* from below, from above */
    uint64_t whole = rank <= 1 ? 1 : (uint64_t)ceil(rank);
    if (whole > s->count)
        whole = s->count;
    struct place p = place_of(s, q < 0.5 ? whole : s->count - whole + 1);
    if (p.cell < 0) /* Prometheus has one zero bucket for both */
        p = (struct place){UNDER, 0, s->zero + s->underflow};
    const double inside = q < 0.5 ? rank - (double)p.before : (double)(s->count - p.before) - rank;
    const double fraction = inside / (double)p.here;
    if (p.cell < 0) {
        const double lower = s->count > p.here ? 0 : -GRID_LOWEST;
        return lower + (GRID_LOWEST - lower) * fraction;
    }
    return grid_interpolate(p.cell + sketch_first_index(s), fraction, s->scale);
}

int32_t sketch_quantile_index(const struct sketch *s, double q)
{
    const int32_t cell = place_of(s, nearest_rank(q, s->count)).cell;
    return (cell < UNDER ? UNDER : cell) + sketch_first_index(s);
}

/* Values in cells below `cell` (0 .. sketch_cells()). */
static uint64_t total_below(const struct sketch *s, uint32_t cell)
{
    uint64_t total = 0;
    for (uint32_t at = 0; at < GRID_OCTAVES && at * SKETCH_PAGE < cell; at++) {
        if (s->page_of[at] == SKETCH_NO_PAGE)
            continue;
        if ((at + 1) * SKETCH_PAGE <= cell) {
            total += page_total(s, s->page_of[at]);
            continue;
        }
        const size_t from = (size_t)s->page_of[at] * SKETCH_PAGE;
        for (uint32_t i = 0; i < cell % SKETCH_PAGE; i++)
            total += sketch_counter(s, from + i);
    }
    return total;
}

uint64_t sketch_count_above(const struct sketch *s, int32_t index)
{
    const int64_t cell = (int64_t)index - sketch_first_index(s) + 1;
    const int64_t cells = sketch_cells(s);
    const uint64_t below = total_below(s, (uint32_t)(cell < 0 ? 0 : cell > cells ? cells : cell));
    return s->count - s->zero - s->underflow - below;
}

uint64_t sketch_count_at_or_below(const struct sketch *s, double bound)
{
    if (s->count == 0 || !(bound >= s->min))
        return 0;
    if (bound >= s->max)
        return s->count;
    if (bound < GRID_LOWEST)
        return s->zero;
    uint64_t total = s->zero + s->underflow;
    if (bound >= GRID_HIGHEST)
        return total + total_below(s, sketch_cells(s));
    /* >> of a negative index rounds down, which is the nesting of scales. */
    const int32_t index = grid_index(bound) >> s->shift;
    const bool whole = grid_upper_edge(index, s->scale) == bound;
    return total + total_below(s, (uint32_t)(index - sketch_first_index(s) + whole));
}
