#include "telemetry/snapshot.h"

#include "base/grow.h"
#include "base/mem.h"

#include <stdlib.h>

#define DATA_MAX  (64u << 20) /* 500 slots are some 100 kB, 32 MB at the very worst */
#define TOO_LARGE "the window's data are larger than %u bytes"

void snapshot_init(struct snapshot *s)
{
    *s = (struct snapshot){.data = BYTES_INIT(DATA_MAX)};
    tally_init(&s->lifetime, 0);
    words_init(&s->errors, KINDS_MAX);
    words_init(&s->names, KINDS_MAX);
}

void snapshot_release(struct snapshot *s)
{
    bytes_release(&s->data);
    free(s->pieces);
    tally_release(&s->lifetime);
    free(s->samples);
    words_release(&s->errors);
    words_release(&s->names);
}

static void add_piece(struct snapshot *s, int64_t start, size_t at)
{
    GROW(s->pieces, s->n, s->cap);
    s->pieces[s->n++] = (struct piece){start, at, s->data.len - at};
}

bool snapshot_add(struct snapshot *s, int64_t start, const void *bytes, size_t len)
{
    size_t at = s->data.len;
    if (!bytes_add(&s->data, bytes, len))
        return false;
    add_piece(s, start, at);
    return true;
}

static bool take_slots(struct snapshot *s, const struct slots *slots, int64_t from, int64_t to)
{
    for (uint32_t i = slots_from(slots, from); i < slots->n && slots->list[i].start < to; i++)
        if (!snapshot_add(s, slots->list[i].start, slots->list[i].bytes, slots->list[i].len))
            return false;
    return true;
}

/* What is in no slot yet. */
struct taking {
    struct snapshot *snapshot;
    enum tier tier;
    int64_t from, to;
    unsigned want;
    bool ok;
    struct err *err;
};

static bool take_pending(void *ctx, const struct pending *p)
{
    struct taking *g = ctx;
    struct snapshot *s = g->snapshot;
    if ((g->want & WANT_OWN) && !p->own)
        return true;
    if ((g->want & WANT_LIFETIME) && p->tally)
        tally_merge(&s->lifetime, p->tally);
    else if (g->want & WANT_LIFETIME)
        g->ok = tally_merge_bytes(&s->lifetime, p->bytes, p->len, g->err);
    if (!g->ok || p->tier > g->tier || p->start < g->from || p->start >= g->to)
        return g->ok;
    size_t at = s->data.len;
    g->ok = p->tally ? tally_encode(p->tally, &s->data) : bytes_add(&s->data, p->bytes, p->len);
    if (!g->ok)
        return fail(g->err, &ERR_MEMORY, TOO_LARGE, DATA_MAX);
    add_piece(s, p->start, at);
    return true;
}

static void copy_words(struct words *to, const struct words *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        size_t len;
        const char *text = words_get(from, i, &len);
        words_put(to, text, len);
    }
}

static bool take_locked(struct snapshot *s, const struct live *l, enum tier tier, int64_t from,
                        int64_t to, unsigned want, struct err *e)
{
    const struct slot *lifetime = (want & WANT_OWN) && l->fleet ? &l->fleet->own : &l->lifetime;
    struct taking pending = {s, tier, from, to, want, true, e};
    if ((want & WANT_LIFETIME) && lifetime->bytes &&
        !tally_merge_bytes(&s->lifetime, lifetime->bytes, lifetime->len, e))
        return false;
    if (want & WANT_WORDS) {
        copy_words(&s->errors, &l->errors);
        copy_words(&s->names, &l->names);
    }
    if (want & WANT_RING) {
        s->n_samples = l->ring.n;
        s->capacity = l->ring.places;
        s->samples = mem_alloc((s->n_samples + 1) * sizeof *s->samples);
        ring_copy(&l->ring, s->samples);
    }
    if (!take_slots(s, &l->tiers[tier], from, to) ||
        (tier == TIER_6H && !take_slots(s, &l->leaving, from, to)))
        return fail(e, &ERR_MEMORY, TOO_LARGE, DATA_MAX);
    return live_each_pending(l, take_pending, &pending);
}

bool snapshot_take(struct snapshot *s, struct live *l, enum tier tier, int64_t from, int64_t to,
                   unsigned want, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    bool ok = take_locked(s, l, tier, from, to, want, e);
    pthread_mutex_unlock(&l->lock);
    return ok;
}

static int by_start(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

void snapshot_sort(struct snapshot *s)
{
    if (s->n)
        qsort(s->pieces, s->n, sizeof *s->pieces, by_start);
}

long snapshot_sum(const struct snapshot *s, size_t i, int64_t to, struct tally *sum, struct err *e)
{
    for (; i < s->n && s->pieces[i].start < to; i++)
        if (!tally_merge_bytes(sum, s->data.data + s->pieces[i].at, s->pieces[i].len, e))
            return -1;
    return (long)i;
}
