/* The sketch in one paragraph. A value's IEEE bits give its bucket with one table word and no
 * rounding (stats/grid.h). Buckets of one page are 128 neighbours: one octave at scale 7. `page_of`
 * says where a page lies in the one block that holds them all, so an insert touches the head of the
 * struct, one byte of `page_of` and one counter. Merging adds pages; a coarser scale is a shift of
 * the cell number, because both ends of the domain are powers of two and so edges at every scale.
 * Nothing is ever rounded or rebalanced, therefore the order of values and merges cannot matter. */
#include "stats/sketch.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sketch_init(struct sketch *s, int scale)
{
    *s = (struct sketch){.scale = (uint8_t)scale, .shift = (uint8_t)(GRID_SCALE - scale)};
    sketch_clear(s);
}

void sketch_release(struct sketch *s)
{
    free(s->counts.narrow);
    s->counts.narrow = NULL;
    s->page_room = 0;
    s->wide = false;
    sketch_clear(s);
}

void sketch_clear(struct sketch *s)
{
    if (s->wide) { /* rare: give the pages back rather than reinterpret them */
        free(s->counts.wide);
        s->counts.narrow = NULL;
        s->page_room = 0;
        s->wide = false;
    }
    s->count = s->sum_low = s->sum_high = 0;
    s->zero = s->underflow = s->overflow = 0;
    s->min = INFINITY;
    s->max = 0;
    /* The top octave's values do not fit a signed fixed-point conversion: the slow path's business.
     */
    s->fast_cells = s->shift == 0 ? GRID_CELLS - SKETCH_PAGE : 0;
    s->pages = 0;
    memset(s->page_of, SKETCH_NO_PAGE, sizeof s->page_of);
}

/* Position of the page of `cell` in `counts`, allocated and zeroed if need be. */
static uint32_t page_at(struct sketch *s, uint32_t cell)
{
    uint8_t *const slot = &s->page_of[cell / SKETCH_PAGE];
    if (*slot != SKETCH_NO_PAGE)
        return *slot;
    const size_t page_size = SKETCH_PAGE * (s->wide ? sizeof(uint64_t) : sizeof(uint32_t));
    if (s->pages == s->page_room) {
        s->page_room = s->page_room ? (uint8_t)(2 * s->page_room) : 1;
        s->counts.narrow = mem_resize(s->counts.narrow, s->page_room, page_size);
    }
    memset((char *)s->counts.narrow + s->pages * page_size, 0, page_size);
    *slot = s->pages;
    return s->pages++;
}

/* Put all pages in ascending order, and those between them too, so that `from` .. `to` are there.
 */
static void rebuild(struct sketch *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < GRID_OCTAVES; i++) {
        if (s->page_of[i] != SKETCH_NO_PAGE) {
            from = i < from ? i : from;
            to = i > to ? i : to;
        }
    }
    const size_t page_size = SKETCH_PAGE * sizeof(uint32_t);
    uint32_t *const counts = mem_zero(to - from + 1, page_size);
    for (uint32_t i = from; i <= to; i++) {
        if (s->page_of[i] != SKETCH_NO_PAGE)
            memcpy(counts + (i - from) * SKETCH_PAGE,
                   s->counts.narrow + s->page_of[i] * SKETCH_PAGE, page_size);
        s->page_of[i] = (uint8_t)(i - from);
    }
    free(s->counts.narrow);
    s->counts.narrow = counts;
    s->pages = s->page_room = (uint8_t)(to - from + 1);
}

uint32_t sketch_span(struct sketch *s, uint32_t first, uint32_t last)
{
    const uint32_t from = first / SKETCH_PAGE, to = last / SKETCH_PAGE;
    for (uint32_t i = from; i <= to; i++) {
        if (s->page_of[i] == SKETCH_NO_PAGE ||
            s->page_of[i] - s->page_of[from] != (int)(i - from)) {
            rebuild(s, from, to);
            break;
        }
    }
    return s->page_of[from];
}

static void widen(struct sketch *s)
{
    uint64_t *const wide = mem_alloc((size_t)s->page_room * SKETCH_PAGE * sizeof *wide);
    for (size_t i = 0; i < (size_t)s->pages * SKETCH_PAGE; i++)
        wide[i] = s->counts.narrow[i];
    free(s->counts.narrow);
    s->counts.wide = wide;
    s->wide = true;
    s->fast_cells = 0;
}

void sketch_carry(struct sketch *s, uint32_t position)
{
    widen(s);
    s->counts.wide[position] += UINT64_C(1) << 32;
}

bool sketch_reserve(struct sketch *s, uint64_t more)
{
    if (more > SKETCH_COUNT_MAX - s->count)
        return false;
    if (!s->wide && (s->count > UINT32_MAX || more > UINT32_MAX - s->count))
        widen(s);
    return true;
}

void sketch_count_cell(struct sketch *s, uint32_t cell, uint64_t n)
{
    const size_t at = (size_t)page_at(s, cell) * SKETCH_PAGE + cell % SKETCH_PAGE;
    if (s->wide)
        s->counts.wide[at] += n;
    else
        s->counts.narrow[at] += (uint32_t)n;
}

static void add_sum(struct sketch *s, uint64_t low, uint64_t high)
{
    s->sum_high += high + __builtin_add_overflow(s->sum_low, low, &s->sum_low);
}

bool sketch_add_slow(struct sketch *s, double value)
{
    if (!(value >= 0) || isinf(value) || !sketch_reserve(s, 1))
        return false;
    if (value == 0) {
        value = 0; /* not -0: equal content must give equal bytes */
        s->zero++;
    } else if (value <= GRID_LOWEST) {
        s->underflow++;
    } else if (value > GRID_HIGHEST) {
        s->overflow++;
    } else {
        sketch_count_cell(s, (uint32_t)grid_cell(value) >> s->shift, 1);
    }
    s->count++;
    if (value >= GRID_HIGHEST)
        add_sum(s, 0, 1);
    else
        add_sum(s, (uint64_t)(value * 0x1p20 + 0.5), 0);
    if (value < s->min)
        s->min = value;
    if (value > s->max)
        s->max = value;
    return true;
}

/* The loop of sketch_add() with its sums in registers; it stops at the first value that needs the
 * slow path. Returns how many values it took. */
static size_t add_fast(struct sketch *s, const double *values, size_t n)
{
    uint64_t low = s->sum_low, high = s->sum_high;
    double min = s->min, max = s->max;
    const uint32_t fast_cells = s->fast_cells;
    uint32_t *const counts = s->counts.narrow;
    size_t i = 0;
    for (; i < n; i++) {
        const double value = values[i];
        const uint32_t cell = (uint32_t)grid_cell(value);
        if (__builtin_expect(cell >= fast_cells, 0))
            break;
        const uint32_t page = s->page_of[cell / SKETCH_PAGE];
        if (__builtin_expect(page == SKETCH_NO_PAGE, 0))
            break;
        const uint32_t position = page * SKETCH_PAGE + cell % SKETCH_PAGE;
        if (__builtin_expect(++counts[position] == 0, 0)) {
            counts[position] = UINT32_MAX;
            break;
        }
        const uint64_t fixed = (uint64_t)(int64_t)(value * 0x1p20 + 0.5);
        high += __builtin_add_overflow(low, fixed, &low);
        if (value < min)
            min = value;
        if (value > max)
            max = value;
    }
    s->count += i;
    s->sum_low = low;
    s->sum_high = high;
    s->min = min;
    s->max = max;
    return i;
}

size_t sketch_add_many(struct sketch *s, const double *values, size_t n)
{
    size_t refused = 0;
    for (size_t i = 0; i < n; i++) {
        i += add_fast(s, values + i, n - i);
        if (i < n && !sketch_add_slow(s, values[i]))
            refused++;
    }
    return refused;
}

static void add_page(uint32_t *restrict dst, const uint32_t *restrict src)
{
    for (size_t i = 0; i < SKETCH_PAGE; i++)
        dst[i] += src[i];
}

static void merge_cells(struct sketch *dst, const struct sketch *src)
{
    const unsigned down = dst->shift - src->shift;
    const bool plain = down == 0 && !dst->wide && !src->wide;
    for (uint32_t cell = 0; cell < sketch_cells(src); cell += SKETCH_PAGE) {
        const uint32_t from = src->page_of[cell / SKETCH_PAGE];
        if (from == SKETCH_NO_PAGE)
            continue;
        if (plain) {
            uint32_t to = page_at(dst, cell);
            add_page(dst->counts.narrow + to * SKETCH_PAGE,
                     src->counts.narrow + from * SKETCH_PAGE);
            continue;
        }
        for (uint32_t i = 0; i < SKETCH_PAGE; i++) {
            const uint64_t n = sketch_counter(src, from * SKETCH_PAGE + i);
            if (n > 0)
                sketch_count_cell(dst, (cell + i) >> down, n);
        }
    }
}

bool sketch_merge(struct sketch *dst, const struct sketch *src)
{
    if (src->scale < dst->scale || !sketch_reserve(dst, src->count))
        return false;
    merge_cells(dst, src);
    dst->count += src->count;
    dst->zero += src->zero;
    dst->underflow += src->underflow;
    dst->overflow += src->overflow;
    add_sum(dst, src->sum_low, src->sum_high);
    if (src->min < dst->min)
        dst->min = src->min;
    if (src->max > dst->max)
        dst->max = src->max;
    return true;
}

double sketch_min(const struct sketch *s)
{
    return s->count ? s->min : NAN;
}

double sketch_max(const struct sketch *s)
{
    return s->count ? s->max : NAN;
}

double sketch_sum(const struct sketch *s)
{
    return (double)s->sum_high * 0x1p44 + (double)s->sum_low * 0x1p-20;
}

double sketch_mean(const struct sketch *s)
{
    if (s->count == 0)
        return NAN;
    return fmin(fmax(sketch_sum(s) / (double)s->count, s->min), s->max);
}

size_t sketch_memory(const struct sketch *s)
{
    const size_t counter = s->wide ? sizeof(uint64_t) : sizeof(uint32_t);
    return sizeof *s + s->page_room * SKETCH_PAGE * counter;
}

bool sketch_next(const struct sketch *s, uint32_t *cursor, int32_t *index, uint64_t *count)
{
    uint32_t cell = *cursor;
    while (cell < sketch_cells(s)) {
        const uint32_t page = s->page_of[cell / SKETCH_PAGE];
        if (page == SKETCH_NO_PAGE) {
            cell = (cell | (SKETCH_PAGE - 1)) + 1;
            continue;
        }
        const uint64_t n = sketch_counter(s, page * SKETCH_PAGE + cell++ % SKETCH_PAGE);
        if (n > 0) {
            *cursor = cell;
            *index = (int32_t)(cell - 1) + sketch_first_index(s);
            *count = n;
            return true;
        }
    }
    *cursor = cell;
    return false;
}
