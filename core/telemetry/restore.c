/* A start: rows of the store, then the log, then the rings (see live.c for why that is exact). */
#include "store/wait.h"
#include "telemetry/fleet.h"
#include "telemetry/internal.h"
#include "telemetry/series.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

struct loading {
    struct telemetry *t;
    enum tier tier;
    struct live *last; /* rows of a key come together */
    uint64_t newest;   /* greatest position that any row knows */
    bool ok;
    struct err err;
};

static bool load_model(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                       size_t len)
{
    struct loading *g = ctx;
    (void)at, (void)id;
    struct live *l = models_get_or_add(&g->t->models, series_key_uid(key));
    g->ok = model_row_open(l, data, len, &g->err);
    if (l->stored_position > g->newest)
        g->newest = l->stored_position;
    return g->ok;
}

static bool load_slot(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    struct loading *g = ctx;
    (void)id;
    uint64_t uid = series_key_uid(key);
    if (!g->last || g->last->uid != uid)
        g->last = models_peek(&g->t->models, uid);
    if (!g->last) /* rows of a model that was forgotten while they were written */
        return true;
    const void *bytes = slot_row_open(data, len, &len);
    struct slot *s = slots_at(&g->last->tiers[g->tier], at);
    g->ok = bytes ? slot_absorb_bytes(s, bytes, len, TIERS[g->tier].scale, &g->t->workshop, &g->err)
                  : fail(&g->err, &ERR_CORRUPT,
                         "a stored slot of metrics has a wrong checksum ('%s')", key);
    s->dirty = false;
    if (at < g->last->oldest_stored[g->tier])
        g->last->oldest_stored[g->tier] = at;
    return g->ok;
}

static bool load(struct loading *g, int tier,
                 bool (*each)(void *, const char *, int64_t, const char *, const void *, size_t),
                 struct err *e)
{
    char pattern[SERIES_KEY_SIZE];
    struct series_read read = {.key = pattern, .each = each, .ctx = g};
    series_key(g->t->space, tier, 0, pattern);
    pattern[strlen(pattern) - 1] = '*'; /* of all models */
    g->last = NULL;
    g->ok = true;
    if (!store_read_wait(g->t->config.store, &read, e))
        return false;
    if (!g->ok)
        *e = g->err;
    return g->ok;
}

bool build_coarser(struct live *l, struct workshop *w, struct err *e)
{
    for (enum tier to = TIER_QUARTER; to < TIER_COUNT; to++) {
        const struct slots *from = &l->tiers[to - 1];
        for (uint32_t i = slots_from(from, l->written_until[to]); i < from->n; i++) {
            const struct slot *s = &from->list[i];
            if (!slot_absorb_bytes(slots_at(&l->tiers[to], slot_start(to, s->start)), s->bytes,
                                   s->len, TIERS[to].scale, w, e))
                return false;
        }
    }
    return true;
}

static bool load_rows(struct telemetry *t, uint64_t *newest, struct err *e)
{
    struct loading g = {.t = t};
    if (!load(&g, -1, load_model, e))
        return false;
    for (g.tier = TIER_MINUTE; g.tier <= TIER_HOUR; g.tier++)
        if (!load(&g, (int)g.tier, load_slot, e))
            return false;
    *newest = g.newest;
    bool ok = true;
    for (size_t i = 0; ok && t->models.table && i <= t->models.mask; i++)
        if (t->models.table[i].live)
            ok = build_coarser(t->models.table[i].live, &t->workshop, e);
    return ok;
}

/* --- the log --- */

struct replay {
    struct telemetry *t;
    struct counting counting;
    uint64_t blocks, first; /* read, and the position of the first of them */
};

static bool replay_block(void *ctx, const struct block_read *b, struct err *e)
{
    struct replay *r = ctx;
    struct telemetry *t = r->t;
    struct payload p;
    if (!payload_open(&p, b->payload, b->payload_len, e))
        return false;
    if (t->fleet)
        fleet_replay(t->fleet, b->position);
    count_block(t, &p, b->position, true, &r->counting);
    if (b->position > atomic_load(&t->counted))
        atomic_store(&t->counted, b->position);
    if (r->blocks++ == 0)
        r->first = b->position;
    if (b->key.key && b->position > t->keys.saved_position)
        keys_restore(t, &b->key, r->counting.now);
    return true;
}

/* A saved ring continues with the log only if nothing between them is missing. The store knows how
 * many records there were in all: less those of the log that it had, that is how many there were
 * before the log. If the ring had seen fewer, only what came from the log is recent. */
static void check_ring(struct live *l, uint64_t first)
{
    if (l->ring_position + 1 < first && l->stored_total - l->replayed != l->ring_total)
        ring_keep_newest(&l->ring, l->ring_replayed);
}

/* Of this node's records, before the log: what check_ring() goes by. */
static void note_totals(struct telemetry *t)
{
    for (size_t i = 0; t->models.table && i <= t->models.mask; i++)
        if (t->models.table[i].live)
            t->models.table[i].live->stored_total =
                live_total(t->models.table[i].live, &t->workshop);
}

bool restore(struct telemetry *t, struct err *e)
{
    int64_t mark = 0;
    bool found = false;
    uint64_t newest = 0;
    if ((t->fleet && !fleet_prepare(t->fleet, e)) ||
        !t->config.store->ops->mark(t->config.store, t->mark, &mark, &found, e) ||
        !load_rows(t, &newest, e))
        return false;
    if (t->fleet && !fleet_restore(t->fleet, e))
        return false;
    rings_load(t);
    keys_load(t);
    note_totals(t);
    struct replay r = {.t = t, .counting = counting_now(t, &t->workshop), .first = UINT64_MAX};
    struct log_reader reader = {replay_block, &r, (uint64_t)mark};
    r.counting.since = INT64_MAX;
    if (t->fleet) {
        r.counting.shipped = fleet_shipped(t->fleet);
        if (r.counting.shipped > newest)
            newest = r.counting.shipped;
        /* What is in the stream is not needed of the log. */
        if (reader.needed_after < r.counting.shipped)
            reader.needed_after = r.counting.shipped;
        atomic_store(&t->counted, r.counting.shipped);
    }
    if (!segment_log_read(t->log, &reader, e))
        return false;
    if (t->fleet)
        fleet_replay(t->fleet, UINT64_MAX);
    segment_log_continue_after(t->log, newest > (uint64_t)mark ? newest : (uint64_t)mark);
    t->rolled_up_to = (uint64_t)mark;
    for (size_t i = 0; t->models.table && i <= t->models.mask; i++)
        if (t->models.table[i].live)
            check_ring(t->models.table[i].live, r.first);
    log_event(LOG_INFO, "telemetry_restored", "\"models\":%zu,\"blocks\":%" PRIu64, t->models.n,
              r.blocks);
    return true;
}
