#include "telemetry/slots.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void workshop_init(struct workshop *w)
{
    for (int scale = 0; scale <= SKETCH_SCALE; scale++)
        tally_init(&w->of_scale[scale], scale);
    bytes_init(&w->bytes, TALLY_ENCODED_MAX);
}

void workshop_release(struct workshop *w)
{
    for (int scale = 0; scale <= SKETCH_SCALE; scale++)
        tally_release(&w->of_scale[scale]);
    bytes_release(&w->bytes);
}

void slot_release(struct slot *s)
{
    free(s->bytes);
    *s = (struct slot){.start = s->start};
}

void slots_release(struct slots *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        free(s->list[i].bytes);
    free(s->list);
    *s = (struct slots){0};
}

uint32_t slots_from(const struct slots *s, int64_t start)
{
    uint32_t low = 0, high = s->n;
    if (s->n && s->list[s->n - 1].start < start) /* new ones come at the end */
        return s->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->list[mid].start < start)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct slot *slots_find(const struct slots *s, int64_t start)
{
    uint32_t at = slots_from(s, start);
    return at < s->n && s->list[at].start == start ? &s->list[at] : NULL;
}

struct slot *slots_at(struct slots *s, int64_t start)
{
    uint32_t at = slots_from(s, start);
    if (at < s->n && s->list[at].start == start)
        return &s->list[at];
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap + s->cap / 2 + 1 : 4;
        s->list = mem_resize(s->list, s->cap, sizeof *s->list);
    }
    memmove(&s->list[at + 1], &s->list[at], (s->n - at) * sizeof *s->list);
    s->n++;
    s->list[at] = (struct slot){.start = start};
    return &s->list[at];
}

void slots_expire(struct slots *s, int64_t start)
{
    uint32_t gone = slots_from(s, start);
    if (gone == 0)
        return;
    for (uint32_t i = 0; i < gone; i++)
        free(s->list[i].bytes);
    s->n -= gone;
    memmove(s->list, s->list + gone, s->n * sizeof *s->list);
}

size_t slots_memory(const struct slots *s)
{
    size_t bytes = s->cap * sizeof *s->list;
    for (uint32_t i = 0; i < s->n; i++)
        bytes += s->list[i].len + 16; /* what the heap adds */
    return bytes;
}

static void store_tally(struct slot *s, const struct tally *t, struct workshop *w)
{
    bytes_clear(&w->bytes);
    /* The buffer holds the greatest encoding, so this cannot fail. */
    if (!tally_encode(t, &w->bytes))
        return;
    if (!s->bytes || s->len != w->bytes.len)
        s->bytes = mem_resize(s->bytes, w->bytes.len, 1);
    s->len = (uint32_t)w->bytes.len;
    memcpy(s->bytes, w->bytes.data, w->bytes.len);
    s->dirty = true;
}

bool slot_absorb(struct slot *s, const struct tally *t, int scale, struct workshop *w,
                 struct err *e)
{
    struct tally *sum = &w->of_scale[scale];
    if (!s->bytes && t->latency.scale == scale) {
        store_tally(s, t, w);
        return true;
    }
    tally_clear(sum);
    if (s->bytes && !tally_merge_bytes(sum, s->bytes, s->len, e))
        return false;
    tally_merge(sum, t);
    store_tally(s, sum, w);
    return true;
}

bool slot_absorb_bytes(struct slot *s, const void *data, size_t len, int scale, struct workshop *w,
                       struct err *e)
{
    struct tally *sum = &w->of_scale[scale];
    tally_clear(sum);
    if (s->bytes && !tally_merge_bytes(sum, s->bytes, s->len, e))
        return false;
    if (!tally_merge_bytes(sum, data, len, e))
        return false;
    store_tally(s, sum, w);
    return true;
}

uint64_t slot_count(const struct slot *s, struct workshop *w)
{
    struct tally *sum = &w->of_scale[0];
    struct err e;
    tally_clear(sum);
    return s->bytes && tally_merge_bytes(sum, s->bytes, s->len, &e) ? sketch_count(&sum->latency)
                                                                    : 0;
}
