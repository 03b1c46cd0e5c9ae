/* sketch: a histogram of non-negative values from which any quantile can be told within 0.543 %.
 * Room: stats. Threads: one owner; concurrent reading of a sketch nobody writes is safe.
 *
 * It is an OpenTelemetry exponential histogram on the fixed grid of stats/grid.h: counters in pages
 * of 128, a page allocated when its first value comes. Beside the buckets it keeps the exact count,
 * min and max, and the sum in 128-bit fixed point. All of that is integers or order-free, so a
 * sketch does not depend on the order in which values or other sketches came in, and its encoding
 * (stats/codec.h) is the same byte for byte.
 *
 * Values: finite and >= 0, in any unit; here milliseconds. Within the domain (2^-20, 2^44] (about 1
 * ns to 557 years in ms) the error bound holds. 0 is counted by itself, (0, 2^-20] as underflow and
 * what is above 2^44 as overflow (in the sum as 2^44). Negative values, infinities and NaN are
 * refused.
 *
 * Counters are 32 bits wide. None can overflow: when one would, or when a merge would bring the
 * total past 2^32 - 1, all are widened to 64 bits once. The total is limited to 2^63 - 1.
 *
 * Quantiles and other questions: stats/quantile.h. */
#ifndef PADDOCK_STATS_SKETCH_H
#define PADDOCK_STATS_SKETCH_H

#include "base/err.h"
#include "base/mem.h"
#include "stats/grid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_SCALE     GRID_SCALE /* of live slots; 0..7 can be kept */
#define SKETCH_PAGE      128        /* counters in a page */
#define SKETCH_NO_PAGE   255
#define SKETCH_COUNT_MAX ((UINT64_C(1) << 63) - 1)
#define SKETCH_UNIT      0x1p-20 /* of the sum: one millionth of a ms, about */

/* Fields are public so that the insert can be inlined; read them, write none. What an insert
 * touches comes first. */
struct sketch {
    union {
        uint32_t *narrow;
        uint64_t *wide;
    } counts;                   /* `pages` pages in order of their first touch; NULL while empty */
    uint64_t count;             /* of all values, those outside the domain included */
    uint64_t sum_low, sum_high; /* in SKETCH_UNIT */
    double min, max;            /* +inf and 0 while empty */
    uint32_t fast_cells;        /* lower cells can be counted inline: all but the top octave's;
                                 * 0 if the scale is not 7 or the counters are wide */
    uint8_t pages, page_room;   /* used, allocated (of up to 64, so a byte will do) */
    uint8_t scale, shift;       /* shift = 7 - scale */
    uint8_t page_of[GRID_OCTAVES]; /* by cell / 128: position in `counts`, or SKETCH_NO_PAGE */
    bool wide;                     /* counts.wide is in use */
    uint64_t zero, underflow, overflow;
};

/* An empty sketch of `scale` 0..7; allocates nothing. release() frees the pages. clear() empties
 * and keeps the memory (and the scale). */
void sketch_init(struct sketch *s, int scale);
void sketch_release(struct sketch *s);
void sketch_clear(struct sketch *s);

/* Parts of sketch_add(): one value, any value; and a 32-bit counter that has just wrapped to 0. */
bool sketch_add_slow(struct sketch *s, double value);
void sketch_carry(struct sketch *s, uint32_t position);

static inline uint64_t sketch_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Count one value. Returns false (and changes nothing) if it is negative, infinite or NaN. At scale
 * 7 inline, at others about 10 ns. */
static inline bool sketch_add(struct sketch *s, double value)
{
    const uint32_t cell = (uint32_t)grid_cell(value);
    if (__builtin_expect(cell >= s->fast_cells, 0))
        return sketch_add_slow(s, value);
    const uint32_t page = s->page_of[cell / SKETCH_PAGE];
    if (__builtin_expect(page == SKETCH_NO_PAGE, 0))
        return sketch_add_slow(s, value);
    const uint32_t position = page * SKETCH_PAGE + cell % SKETCH_PAGE;
    if (__builtin_expect(++s->counts.narrow[position] == 0, 0))
        sketch_carry(s, position);
    s->count++;
    const uint64_t fixed = (uint64_t)(int64_t)(value * 0x1p20 + 0.5);
    s->sum_high += __builtin_add_overflow(s->sum_low, fixed, &s->sum_low);
    /* Branches, not min/max instructions: they are predicted, and no store waits for a load. Bits
     * of doubles >= 0 order like the doubles, and are in an integer register already. */
    if (sketch_bits(value) < sketch_bits(s->min))
        s->min = value;
    if (sketch_bits(value) > sketch_bits(s->max))
        s->max = value;
    return true;
}

/* Count `n` values of one sketch, somewhat faster than one by one. Returns how many were refused.
 */
size_t sketch_add_many(struct sketch *s, const double *values, size_t n);

/* For loops over many sketches, where cache misses are the cost: call prefetch() some 24 records
 * ahead and prefetch_cell() some 12 records ahead of the insert. */
static ALWAYS_INLINE void sketch_prefetch(const struct sketch *s)
{
    __builtin_prefetch(s, 1);
    __builtin_prefetch((const char *)s + 64, 1);
}

static ALWAYS_INLINE void sketch_prefetch_cell(const struct sketch *s, double value)
{
    const uint32_t cell = (uint32_t)grid_cell(value);
    if (__builtin_expect(cell >= s->fast_cells, 0))
        return;
    const uint32_t page = s->page_of[cell / SKETCH_PAGE];
    if (page != SKETCH_NO_PAGE)
        __builtin_prefetch(&s->counts.narrow[page * SKETCH_PAGE + cell % SKETCH_PAGE], 1);
}

/* Add `src` to `dst`, exactly. The scale of `src` must be that of `dst` or finer (it is downscaled
 * on the way; `src` stays as it is, and is not `dst`). Refused (nothing changed) if `src` is
 * coarser or the total count would pass SKETCH_COUNT_MAX. */
bool sketch_merge(struct sketch *dst, const struct sketch *src) MUST_CHECK;

static inline uint64_t sketch_count(const struct sketch *s)
{
    return s->count;
}

/* NaN while empty. The mean is right to SKETCH_UNIT / 2 per value, and lies within [min, max]. */
double sketch_min(const struct sketch *s);
double sketch_max(const struct sketch *s);
double sketch_mean(const struct sketch *s);
/* 0 while empty. */
double sketch_sum(const struct sketch *s);

/* Bytes in use: the struct and its pages. */
size_t sketch_memory(const struct sketch *s);

/* Walk the buckets that are not empty, in ascending order: start with `*cursor` = 0, call until it
 * returns false. `index` is the OpenTelemetry bucket index at the sketch's scale. Zero, underflow
 * and overflow counters are fields of the struct. Do not change the sketch meanwhile. */
bool sketch_next(const struct sketch *s, uint32_t *cursor, int32_t *index, uint64_t *count);

/* For stats/codec.c and stats/quantile.c. Cells number the buckets of a sketch from the domain's
 * lower end, 0 .. sketch_cells() - 1; cell = index + 20 * 2^scale. */
static inline uint32_t sketch_cells(const struct sketch *s)
{
    return (uint32_t)GRID_CELLS >> s->shift;
}

static inline int32_t sketch_first_index(const struct sketch *s)
{
    return GRID_FIRST / (1 << s->shift);
}

static inline uint64_t sketch_counter(const struct sketch *s, size_t position)
{
    return s->wide ? s->counts.wide[position] : s->counts.narrow[position];
}

/* Make room for `more` values: widens the counters if the count could pass 2^32 - 1. False if the
 * count would pass SKETCH_COUNT_MAX. */
bool sketch_reserve(struct sketch *s, uint64_t more) MUST_CHECK;
/* Add `n` to a cell, after room for it was reserved. The count is the caller's business. */
void sketch_count_cell(struct sketch *s, uint32_t cell, uint64_t n);
/* Make the pages of cells `first` .. `last` exist and lie one after another (narrow counters only).
 * Returns the position of the first of these pages. */
uint32_t sketch_span(struct sketch *s, uint32_t first, uint32_t last);

#endif
