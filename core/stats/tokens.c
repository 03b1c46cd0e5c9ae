/* A query spends most of its time here: an hour is sixty bodies. Read token by token, a body costs a
 * mispredicted branch wherever run and count alternate, and nobody can predict that in a sparse one.
 * So eight bytes are looked at together. If they are eight tokens of one byte, or four counts of two
 * bytes, which is nearly always, then validation, sums and steps are done for all of them in one
 * 64-bit register, and the additions follow without a branch. Everything else goes token by token. */
#include "stats/tokens.h"

#include <endian.h>
#include <string.h>

#define EACH8(byte) (UINT64_C(0x0101010101010101) * (byte))
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
        const uint64_t n = next ? token >> 1 : 0;
        const bool run = next && (token & 1);
        t->bad = n == 0 || (run ? !t->after_count || n > t->span - t->cell
                            : t->seen > t->total || n > t->total - t->seen);
        if (t->bad)
            break;
        t->p = next;
        t->after_count = !run;
        if (run) {
            t->cell += (uint32_t)n;
            continue;
        }
        t->seen += n;
        *cell = t->cell++;
        *count = n;
        return true;
    }
    return false;
}

bool tokens_done(const struct tokens *t)
{
    return !t->bad && t->cell == t->span && t->seen == t->total && t->p == t->end &&
           (t->after_count || t->span == 0);
}

/* Sum of eight bytes. */
static uint64_t sum8(uint64_t x)
{
    return ((x & EACH16(0xFF)) + (x >> 8 & EACH16(0xFF))) * EACH16(1) >> 48;
}

/* Eight tokens of one byte each. */
static bool add_bytes(struct tokens *t, uint64_t x, uint32_t *counts, uint32_t times)
{
    const uint64_t run = x & EACH8(1), n = x >> 1 & EACH8(0x3F);
    const uint64_t is_run = run * 0xFF; /* all bits of the bytes that are runs */
    uint64_t count = n & ~is_run;
    uint64_t step = (n & is_run) + (run ^ EACH8(1));
    const bool zero = ((n + EACH8(0x7F)) & EACH8(0x80)) != EACH8(0x80);
    const bool neighbours = (run & (run << 8 | !t->after_count)) != 0;
    t->bad = zero || neighbours || sum8(step) > t->span - t->cell;
    if (t->bad)
        return false;
    t->after_count = run >> 56 == 0;
    t->seen += sum8(count);
    uint32_t *at = counts + t->cell;
    for (int i = 0; i < 8; i++, count >>= 8, step >>= 8) {
        *at += (uint32_t)(count & 0xFF) * times;
        at += step & 0xFF;
    }
    t->cell = (uint32_t)(at - counts);
    return true;
}

/* Four tokens of two bytes each, if they are counts; else false. */
static bool add_words(struct tokens *t, uint64_t x, uint32_t *counts, uint32_t times)
{
    const uint64_t low = x & EACH16(0x7F), high = x & EACH16(0x7F00);
    const bool shortest = ((high + EACH16(0x7F00)) & EACH16(0x8000)) == EACH16(0x8000);
    if ((x & EACH16(1)) != 0 || !shortest || t->span - t->cell < 4)
        return false;
    const uint64_t n = (low | high >> 1) >> 1; /* 13 bits each */
    uint32_t *const at = counts + t->cell;
    for (int i = 0; i < 4; i++)
        at[i] += (uint32_t)(n >> (16 * i) & 0x1FFF) * times;
    t->seen += n * EACH16(1) >> 48;
    t->cell += 4;
    t->after_count = true;
    return true;
}

static bool add_one(struct tokens *t, uint32_t *counts, uint32_t times)
{
    uint32_t cell;
    uint64_t count;
    const uint8_t *const p = t->p;
    if (tokens_next(t, &cell, &count))
        counts[cell] += (uint32_t)count * times;
    return t->p > p && !t->bad;
}

bool tokens_add(struct tokens *tokens, uint32_t *counts, uint32_t times)
{
    struct tokens t = *tokens; /* a local copy lives in registers */
    while (t.cell < t.span) {
        if (t.end - t.p >= 8) {
            uint64_t x;
            memcpy(&x, t.p, sizeof x);
            x = le64toh(x);
            const uint64_t more = x & EACH8(0x80);
            if (more == 0) {
                if (!add_bytes(&t, x, counts, times))
                    break;
                t.p += 8;
                continue;
            }
            if (more == EACH16(0x80) && add_words(&t, x, counts, times)) {
                t.p += 8;
                continue;
            }
        }
        if (!add_one(&t, counts, times))
            break;
    }
    *tokens = t;
    return tokens_done(tokens);
}
