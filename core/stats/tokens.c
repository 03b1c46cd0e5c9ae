/* A query spends most of its time here: an hour is sixty bodies. Read token by token, a body costs
 * a mispredicted branch wherever run and count alternate, and nobody can predict that in a sparse
 * one. So eight bytes are looked at together. If they are eight tokens of one byte, or four counts
 * of two bytes, which is nearly always, then validation, sums and steps are done for all of them in
 * one 64-bit register, and the additions follow without a branch. Everything else goes token by
 * token. */
#include "stats/tokens.h"

#include <endian.h>
#include <string.h>

#define EACH8(byte)  (UINT64_C(0x0101010101010101) * (byte))
#define EACH16(word) (UINT64_C(0x0001000100010001) * (word))

const uint8_t *varint_read(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    uint64_t n = 0;
    for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
        const uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return NULL;
        n |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = n;
            return byte != 0 || shift == 0 ? p : NULL;
        }
    }
    return NULL;
}

bool tokens_next(struct tokens *t, uint32_t *cell, uint64_t *count)
{
    while (t->cell < t->span && !t->bad) {
        uint64_t token;
        const uint8_t *const next = varint_read(t->p, t->end, &token);
        t->bad = true; /* until found good */
        if (!next)
            break;
        uint64_t n = token >> 1;
        if (token & 1) {
            const uint64_t gap = token >> 2;
            if (gap == 0 || t->cell == 0 || t->open || gap >= t->span - t->cell)
                break;
            t->cell += (uint32_t)gap;
            n = 1;
        } else if (n == 0 || (n == 1 && t->open)) {
            break;
        }
        t->open = (token & 3) == 3;
        t->bad = !t->open && (t->seen > t->total || n > t->total - t->seen);
        if (t->bad)
            break;
        t->p = next;
        if (t->open)
            continue;
        t->seen += n;
        *cell = t->cell++;
        *count = n;
        return true;
    }
    return false;
}

bool tokens_done(const struct tokens *t)
{
    return !t->bad && !t->open && t->cell == t->span && t->seen == t->total && t->p == t->end;
}

/* Sum of eight bytes. */
static uint64_t sum8(uint64_t x)
{
    return ((x & EACH16(0xFF)) + (x >> 8 & EACH16(0xFF))) * EACH16(1) >> 48;
}

/* Eight tokens of one byte each, not the first ones of a body. */
static inline struct tokens add_bytes(struct tokens t, uint64_t x, uint32_t *counts, uint32_t times)
{
    const uint64_t odd = x & EACH8(1), open = x >> 1 & odd;
    const uint64_t is_odd = odd * 0xFF; /* all bits of the bytes that have a gap */
    const uint64_t gap = x >> 2 & EACH8(0x1F) & is_odd;
    uint64_t count = (x >> 1 & EACH8(0x3F) & ~is_odd) | (odd ^ open);
    const uint64_t one = open ^ EACH8(1); /* tokens that fill a bucket */
    /* 2 is the least token, but 4 with a gap and after ..11, where no gap may come either. */
    const uint64_t after_open = open << 8 | t.open;
    const uint64_t enough = x + EACH8(0x7E) - 2 * (odd | after_open);
    const uint64_t steps = sum8(gap) + sum8(one);
    t.bad = (enough & EACH8(0x80)) != EACH8(0x80) || (odd & after_open) != 0 ||
            steps + (open >> 56) > t.span - t.cell;
    if (t.bad)
        return t;
    counts += t.cell;
    t.p += 8;
    t.open = open >> 56 != 0;
    t.seen += sum8(count);
    t.cell += (uint32_t)steps;
    uint64_t step = gap + (one << 8); /* each token's own gap, and past the bucket before it */
    for (int i = 0; i < 4; i++, step >>= 16, count >>= 16) { /* by twos: shorter than by ones */
        counts += step & 0xFF;
        *counts += (uint32_t)(count & 0xFF) * times;
        counts += step >> 8 & 0xFF;
        *counts += (uint32_t)(count >> 8 & 0xFF) * times;
    }
    return t;
}

/* Are these eight bytes, known to be four tokens of two each, counts? At least 64 each, then. */
static inline bool are_words(const struct tokens *t, uint64_t x)
{
    const uint64_t high = x & EACH16(0x7F00); /* 0 would be a varint that is too long */
    return (x & EACH16(1)) == 0 && t->span - t->cell >= 4 &&
           ((high + EACH16(0x7F00)) & EACH16(0x8000)) == EACH16(0x8000);
}

static inline struct tokens add_words(struct tokens t, uint64_t x, uint32_t *counts, uint32_t times)
{
    const uint64_t n = ((x & EACH16(0x7F)) | (x & EACH16(0x7F00)) >> 1) >> 1; /* 13 bits each */
    counts += t.cell;
    counts[0] += (uint32_t)(n & 0x1FFF) * times;
    counts[1] += (uint32_t)(n >> 16 & 0x1FFF) * times;
    counts[2] += (uint32_t)(n >> 32 & 0x1FFF) * times;
    counts[3] += (uint32_t)(n >> 48) * times;
    t.p += 8;
    t.open = false;
    t.seen += n * EACH16(1) >> 48;
    t.cell += 4;
    return t;
}

/* One token, or a gap and its count. A copy in, a copy out: the caller's stays in registers. */
static struct tokens add_one(struct tokens t, uint32_t *counts, uint32_t times)
{
    uint32_t cell;
    uint64_t count;
    if (tokens_next(&t, &cell, &count))
        counts[cell] += (uint32_t)count * times;
    else
        t.bad = true; /* there was to be one more */
    return t;
}

bool tokens_add(struct tokens *tokens, uint32_t *counts, uint32_t times)
{
    struct tokens t = *tokens;
    while (t.cell < t.span && !t.bad) {
        if (t.end - t.p >= 8 && t.cell > 0) {
            uint64_t x;
            memcpy(&x, t.p, sizeof x);
            x = le64toh(x);
            const uint64_t more = x & EACH8(0x80);
            if (more == 0) {
                t = add_bytes(t, x, counts, times);
                continue;
            }
            if (more == EACH16(0x80) && are_words(&t, x)) {
                t = add_words(t, x, counts, times);
                continue;
            }
        }
        t = add_one(t, counts, times);
    }
    *tokens = t;
    return tokens_done(tokens);
}
