#include "stats/codec.h"

#include "base/hash.h"
#include "stats/tokens.h"

#include <math.h>
#include <string.h>

enum { MAGIC = 0xE1, HAS_OUTSIDE = 1, CHECKSUM_SIZE = 4, FIXED_SIZE = 3, HEADER_MAX = 128 };

/* ---- writing ---- */

static void put_varint(uint8_t **p, uint64_t n)
{
    while (n >= 0x80) {
        *(*p)++ = (uint8_t)(n | 0x80);
        n >>= 7;
    }
    *(*p)++ = (uint8_t)n;
}

static void put_double(uint8_t **p, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        *(*p)++ = (uint8_t)(bits >> (8 * i));
}

static uint64_t zigzag(int32_t n)
{
    return (uint32_t)n << 1 ^ (uint32_t)(n >> 31);
}

/* The tokens, and what stands before them: `first` and `last` cell that is not empty. False if all
 * are empty. */
static bool put_tokens(uint8_t **p, const struct sketch *s, uint32_t *first, uint32_t *last)
{
    bool any = false;
    for (uint32_t cell = 0; cell < sketch_cells(s); cell += SKETCH_PAGE) {
        const uint32_t page = s->page_of[cell / SKETCH_PAGE];
        if (page == SKETCH_NO_PAGE)
            continue;
        for (uint32_t i = 0; i < SKETCH_PAGE; i++) {
            const uint64_t n = sketch_counter(s, page * SKETCH_PAGE + i);
            if (n == 0)
                continue;
            const uint64_t gap = any ? cell + i - *last - 1 : 0;
            if (!any)
                *first = cell + i;
            if (gap > 0)
                put_varint(p, gap << 2 | (n == 1 ? 1 : 3));
            if (gap == 0 || n > 1)
                put_varint(p, n << 1);
            *last = cell + i;
            any = true;
        }
    }
    return any;
}

static void put_header(uint8_t **p, const struct sketch *s)
{
    const bool outside = (s->zero | s->underflow | s->overflow) != 0;
    *(*p)++ = MAGIC;
    *(*p)++ = outside ? HAS_OUTSIDE : 0;
    *(*p)++ = s->scale;
    put_varint(p, s->count);
    if (s->count == 0)
        return;
    if (outside) {
        put_varint(p, s->zero);
        put_varint(p, s->underflow);
        put_varint(p, s->overflow);
    }
    put_varint(p, s->sum_low);
    put_varint(p, s->sum_high);
    put_double(p, s->min);
    put_double(p, s->max);
}

bool sketch_encode(const struct sketch *s, struct bytes *out)
{
    uint8_t buf[SKETCH_ENCODED_MAX]; /* the tokens, then in front of them the header */
    uint8_t header[HEADER_MAX];
    uint8_t *p = header, *end = buf + HEADER_MAX;
    uint32_t first, last;
    put_header(&p, s);
    if (put_tokens(&end, s, &first, &last)) {
        put_varint(&p, (uint64_t)(last - first) + 1);
        put_varint(&p, zigzag((int32_t)first + sketch_first_index(s)));
    } else if (s->count > 0) {
        put_varint(&p, 0);
    }
    uint8_t *const start = buf + HEADER_MAX - (p - header);
    memcpy(start, header, (size_t)(p - header));
    const uint32_t sum = checksum32(start, (size_t)(end - start));
    for (int i = 0; i < CHECKSUM_SIZE; i++)
        *end++ = (uint8_t)(sum >> (8 * i));
    return bytes_add(out, start, (size_t)(end - start));
}

/* ---- reading ---- */

struct reader {
    const uint8_t *p, *end;
};

/* What stands before the tokens. */
struct header {
    unsigned scale;
    uint64_t count, zero, underflow, overflow;
    uint64_t inside; /* values in cells */
    uint64_t sum_low, sum_high;
    double min, max;
    uint32_t first, span; /* cells, at `scale` */
};

static bool get_varint(struct reader *r, uint64_t *out)
{
    const uint8_t *next = varint_read(r->p, r->end, out);
    if (next)
        r->p = next;
    return next != NULL;
}

static bool get_double(struct reader *r, double *out)
{
    if (r->end - r->p < 8)
        return false;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)r->p[i] << (8 * i);
    r->p += 8;
    memcpy(out, &bits, sizeof bits);
    return !signbit(*out) && isfinite(*out);
}

static bool frame_ok(struct reader *r, const void *data, size_t len)
{
    if (len < FIXED_SIZE + 1 + CHECKSUM_SIZE)
        return false;
    r->p = data;
    r->end = r->p + len - CHECKSUM_SIZE;
    uint32_t sum = 0;
    for (int i = 0; i < CHECKSUM_SIZE; i++)
        sum |= (uint32_t)r->end[i] << (8 * i);
    return sum == checksum32(data, len - CHECKSUM_SIZE);
}

/* A value's place in the order zero, underflow, cells, overflow; as in stats/quantile.c. */
static int64_t place_of(double value, unsigned scale)
{
    if (value == 0)
        return -2;
    const int64_t cell = grid_cell(value);
    if (cell < 0)
        return -1;
    return (cell < GRID_CELLS ? cell : GRID_CELLS) >> (GRID_SCALE - scale);
}

/* The extremes must lie in the lowest and the highest counter that is not empty. */
static bool extremes_ok(const struct header *h)
{
    const int64_t cells = GRID_CELLS >> (GRID_SCALE - h->scale);
    const int64_t last = (int64_t)h->first + h->span - 1;
    const int64_t lowest = h->zero ? -2 : h->underflow ? -1 : h->span ? h->first : cells;
    const int64_t highest = h->overflow ? cells : h->span ? last : h->underflow ? -1 : -2;
    return h->min <= h->max && place_of(h->min, h->scale) == lowest &&
           place_of(h->max, h->scale) == highest;
}

static bool get_outside(struct reader *r, struct header *h)
{
    if (!get_varint(r, &h->zero) || !get_varint(r, &h->underflow) || !get_varint(r, &h->overflow))
        return false;
    uint64_t total;
    if (__builtin_add_overflow(h->zero, h->underflow, &total) ||
        __builtin_add_overflow(total, h->overflow, &total) || total == 0 || total > h->count)
        return false;
    h->inside -= total;
    return true;
}

static bool get_range(struct reader *r, struct header *h)
{
    const int64_t cells = GRID_CELLS >> (GRID_SCALE - h->scale);
    uint64_t span, coded = 0;
    if (!get_varint(r, &span) || (span == 0) != (h->inside == 0) || span > (uint64_t)cells)
        return false;
    if (span > 0) {
        if (!get_varint(r, &coded) || coded > UINT32_MAX)
            return false;
        const int64_t index = (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
        const int64_t first = index - GRID_FIRST / (1 << (GRID_SCALE - h->scale));
        if (first < 0 || first + (int64_t)span > cells)
            return false;
        h->first = (uint32_t)first;
    }
    h->span = (uint32_t)span;
    return true;
}

static bool get_header(struct reader *r, struct header *h)
{
    *h = (struct header){0};
    const uint8_t magic = *r->p++, flags = *r->p++;
    h->scale = *r->p++;
    if (magic != MAGIC || flags > HAS_OUTSIDE || h->scale > GRID_SCALE ||
        !get_varint(r, &h->count) || h->count > SKETCH_COUNT_MAX)
        return false;
    if (h->count == 0)
        return flags == 0;
    h->inside = h->count;
    if (flags == HAS_OUTSIDE && !get_outside(r, h))
        return false;
    if (!get_varint(r, &h->sum_low) || !get_varint(r, &h->sum_high) || !get_double(r, &h->min) ||
        !get_double(r, &h->max))
        return false;
    /* No value counts for more than 2^44, that is 2^64 units. */
    if (h->sum_high > h->count || (h->sum_high == h->count && h->sum_low > 0))
        return false;
    return get_range(r, h) && extremes_ok(h);
}

/* Add the tokens to `dst` `times` times, where times is 1, or (uint64_t)-1 to take back what a
 * failed call with 1 has added: arithmetic of counters is modular, and both calls do the same
 * steps. */
static bool add_tokens(struct sketch *dst, const struct reader *r, const struct header *h,
                       uint64_t times)
{
    struct tokens tokens = {.p = r->p, .end = r->end, .span = h->span, .total = h->inside};
    const unsigned down = h->scale - dst->scale;
    if (h->span == 0)
        return tokens_done(&tokens);
    if (down == 0 && !dst->wide) {
        const uint32_t base = sketch_span(dst, h->first, h->first + h->span - 1) * SKETCH_PAGE;
        return tokens_add(&tokens, dst->counts.narrow + base + h->first % SKETCH_PAGE,
                          (uint32_t)times);
    }
    uint32_t cell;
    uint64_t count;
    while (tokens_next(&tokens, &cell, &count))
        sketch_count_cell(dst, (h->first + cell) >> down, count * times);
    return tokens_done(&tokens);
}

static void add_header(struct sketch *dst, const struct header *h)
{
    dst->count += h->count;
    dst->zero += h->zero;
    dst->underflow += h->underflow;
    dst->overflow += h->overflow;
    dst->sum_high += h->sum_high + __builtin_add_overflow(dst->sum_low, h->sum_low, &dst->sum_low);
    if (h->count > 0 && h->min < dst->min)
        dst->min = h->min;
    if (h->count > 0 && h->max > dst->max)
        dst->max = h->max;
}

static bool corrupt(struct err *e)
{
    return fail(e, &ERR_CORRUPT, "these bytes are not an encoded sketch");
}

static bool open_bytes(struct reader *r, struct header *h, const void *data, size_t len)
{
    return frame_ok(r, data, len) && get_header(r, h);
}

static bool merge_body(struct sketch *dst, const struct reader *r, const struct header *h,
                       struct err *e)
{
    if (h->scale < dst->scale)
        return fail(e, &ERR_INVALID, "a sketch of scale %u cannot be merged into one of scale %d",
                    h->scale, dst->scale);
    if (!sketch_reserve(dst, h->count))
        return fail(e, &ERR_INVALID, "the merged sketch would count more than 2^63 - 1 values");
    if (!add_tokens(dst, r, h, 1)) {
        (void)add_tokens(dst, r, h, UINT64_MAX);
        return corrupt(e);
    }
    add_header(dst, h);
    return true;
}

bool sketch_merge_bytes(struct sketch *dst, const void *data, size_t len, struct err *e)
{
    struct reader r;
    struct header h;
    return open_bytes(&r, &h, data, len) ? merge_body(dst, &r, &h, e) : corrupt(e);
}

bool sketch_decode(struct sketch *s, const void *data, size_t len, struct err *e)
{
    struct reader r;
    struct header h;
    sketch_init(s, SKETCH_SCALE);
    if (!open_bytes(&r, &h, data, len))
        return corrupt(e);
    sketch_init(s, (int)h.scale);
    if (merge_body(s, &r, &h, e))
        return true;
    sketch_release(s);
    return false;
}

bool sketch_peek(struct sketch_summary *out, const void *data, size_t len, struct err *e)
{
    struct reader r;
    struct header h;
    if (!open_bytes(&r, &h, data, len))
        return corrupt(e);
    *out = (struct sketch_summary){
        .scale = (int)h.scale,
        .count = h.count,
        .min = h.count ? h.min : NAN,
        .max = h.count ? h.max : NAN,
        .sum = (double)h.sum_high * 0x1p44 + (double)h.sum_low * 0x1p-20,
    };
    return true;
}
