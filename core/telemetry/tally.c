#include "telemetry/tally.h"

#include "base/mem.h"
#include "stats/codec.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 2 /* 1 had no count of the mismatched */

void tally_init(struct tally *t, int scale)
{
    *t = (struct tally){0};
    sketch_init(&t->latency, scale);
}

void tally_release(struct tally *t)
{
    sketch_release(&t->latency);
    free(t->errors);
    free(t->scores);
    t->errors = NULL;
    t->scores = NULL;
}

void tally_clear(struct tally *t)
{
    sketch_clear(&t->latency);
    t->failure = t->skewed = t->mismatched = 0;
    if (t->n_errors)
        memset(t->errors, 0, t->n_errors * sizeof *t->errors);
    if (t->n_scores)
        memset(t->scores, 0, t->n_scores * sizeof *t->scores);
}

/* Make an array of `size`d elements long enough for index `i`; new ones are zero. */
static void *reach(void *array, uint32_t *n, uint32_t i, size_t size)
{
    if (i < *n)
        return array;
    uint32_t more = i + 1 > *n * 2 ? i + 1 : *n * 2;
    if (more > KINDS_MAX + 1)
        more = KINDS_MAX + 1;
    array = mem_resize(array, more, size);
    memset((char *)array + *n * size, 0, (more - *n) * size);
    *n = more;
    return array;
}

static uint64_t *error_count(struct tally *t, uint32_t kind)
{
    t->errors = reach(t->errors, &t->n_errors, kind, sizeof *t->errors);
    return &t->errors[kind];
}

static struct moments *score_of(struct tally *t, uint32_t name)
{
    t->scores = reach(t->scores, &t->n_scores, name, sizeof *t->scores);
    return &t->scores[name];
}

void tally_add_error(struct tally *t, uint32_t kind)
{
    ++*error_count(t, kind);
}

void tally_add_score(struct tally *t, uint32_t name, double value)
{
    moments_add(score_of(t, name), value);
}

void tally_merge(struct tally *dst, const struct tally *src)
{
    /* It could fail only past 2^63 records, or into a finer scale, which no caller asks for. */
    if (!sketch_merge(&dst->latency, &src->latency))
        return;
    dst->failure += src->failure;
    dst->skewed += src->skewed;
    dst->mismatched += src->mismatched;
    for (uint32_t i = 0; i < src->n_errors; i++)
        if (src->errors[i])
            *error_count(dst, i) += src->errors[i];
    for (uint32_t i = 0; i < src->n_scores; i++)
        if (src->scores[i].count)
            moments_merge(score_of(dst, i), &src->scores[i]);
}

/* --- the compact form --- */

static uint8_t *put_varint(uint8_t *p, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        *p++ = (uint8_t)(n | 0x80);
    *p++ = (uint8_t)n;
    return p;
}

static const uint8_t *get_varint(const uint8_t *p, const uint8_t *end, uint64_t *n)
{
    *n = 0;
    for (int shift = 0; p && p < end && shift < 64; shift += 7) {
        uint8_t byte = *p++;
        *n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return p;
    }
    return NULL;
}

/* Room for everything before the sketch. */
#define HEAD_MAX (1 + 5 * 10 + (KINDS_MAX + 1) * (2 + 10) + (KINDS_MAX + 1) * (2 + 10 + 32))

bool tally_encode(const struct tally *t, struct bytes *out)
{
    uint8_t head[HEAD_MAX], *p = head;
    uint32_t errors = 0, scores = 0;
    for (uint32_t i = 0; i < t->n_errors; i++)
        errors += t->errors[i] > 0;
    for (uint32_t i = 0; i < t->n_scores; i++)
        scores += t->scores[i].count > 0;
    *p++ = VERSION;
    p = put_varint(p, t->failure);
    p = put_varint(p, t->skewed);
    p = put_varint(p, t->mismatched);
    p = put_varint(p, errors);
    for (uint32_t i = 0; i < t->n_errors; i++)
        if (t->errors[i])
            p = put_varint(put_varint(p, i), t->errors[i]);
    p = put_varint(p, scores);
    for (uint32_t i = 0; i < t->n_scores; i++) {
        const struct moments *m = &t->scores[i];
        if (!m->count)
            continue;
        p = put_varint(put_varint(p, i), m->count);
        double values[4] = {m->mean, m->min, m->max, m->squares};
        memcpy(p, values, sizeof values);
        p += sizeof values;
    }
    size_t before = out->len;
    if (!bytes_add(out, head, (size_t)(p - head)))
        return false;
    if (sketch_encode(&t->latency, out))
        return true;
    out->len = before;
    return false;
}

static const uint8_t *merge_errors(struct tally *dst, const uint8_t *p, const uint8_t *end,
                                   const uint8_t *kinds)
{
    uint64_t n, kind, count;
    p = get_varint(p, end, &n);
    while (p && n--) {
        p = get_varint(p, end, &kind);
        p = get_varint(p, end, &count);
        if (!p || kind > KIND_OTHER)
            return NULL;
        *error_count(dst, kinds ? kinds[kind] : (uint32_t)kind) += count;
    }
    return p;
}

static const uint8_t *merge_scores(struct tally *dst, const uint8_t *p, const uint8_t *end,
                                   const uint8_t *kinds)
{
    uint64_t n, name, count;
    p = get_varint(p, end, &n);
    while (p && n--) {
        double values[4];
        p = get_varint(p, end, &name);
        p = get_varint(p, end, &count);
        if (!p || name > KIND_OTHER || count == 0 || (size_t)(end - p) < sizeof values)
            return NULL;
        memcpy(values, p, sizeof values);
        p += sizeof values;
        struct moments m = {count, values[0], values[1], values[2], values[3]};
        moments_merge(score_of(dst, kinds ? kinds[name] : (uint32_t)name), &m);
    }
    return p;
}

bool tally_merge_bytes(struct tally *dst, const void *data, size_t len, struct err *e)
{
    const struct tally_bytes b = {data, len, NULL};
    return tally_merge_kinds(dst, &b, e);
}

bool tally_merge_kinds(struct tally *dst, const struct tally_bytes *b, struct err *e)
{
    const uint8_t *p = b->data, *end = p + b->len;
    uint64_t failure, skewed, mismatched = 0;
    const uint8_t version = b->len ? *p++ : 0;
    if (version < 1 || version > VERSION)
        return fail(e, &ERR_CORRUPT, "a stored slot is of no version we know");
    p = get_varint(p, end, &failure);
    p = get_varint(p, end, &skewed);
    if (version >= 2)
        p = get_varint(p, end, &mismatched);
    p = merge_errors(dst, p, end, b->kinds ? b->kinds->errors : NULL);
    p = merge_scores(dst, p, end, b->kinds ? b->kinds->names : NULL);
    if (!p)
        return fail(e, &ERR_CORRUPT, "a stored slot is cut short");
    if (!sketch_merge_bytes(&dst->latency, p, (size_t)(end - p), e))
        return false;
    dst->failure += failure;
    dst->skewed += skewed;
    dst->mismatched += mismatched;
    return true;
}

size_t tally_memory(const struct tally *t)
{
    return sizeof *t - sizeof t->latency + sketch_memory(&t->latency) +
           t->n_errors * sizeof *t->errors + t->n_scores * sizeof *t->scores;
}
