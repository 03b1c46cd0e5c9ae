/* A roll-up visits every model, at leisure, and writes what has changed: the slots that are dirty
 * and the model row, all of one model in one transaction. Then the log up to where it stood when
 * the round began is no longer needed.
 *
 * Minutes are written as they are. A coarser slot is written once its time is over, and again when
 * a late record changed it: until then a restart makes it anew from the finer slots, which are kept
 * long enough for that. `written_until` of each tier says which is the case. A slot of 6 h leaves
 * memory when it is written; one that changes later is written as the sum of the row and the
 * change.
 *
 * Deletion by age goes with the same transactions. */
#include "telemetry/rollup.h"

#include "store/wait.h"
#include "telemetry/fleet.h"

#include "base/grow.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)1 << 30)

/* --- adding a model --- */

static void put_record(struct chunk *c, int tier, uint64_t uid, int64_t at, const void *data,
                       size_t len)
{
    char key[SERIES_KEY_SIZE];
    series_key(c->space, tier, uid, key);
    GROW(c->records, c->n, c->cap);
    c->records[c->n++] = (struct series_record){arena_text(c->arena, key), at, "", data, len};
}

static void put_trim(struct chunk *c, int tier, uint64_t uid, int64_t before)
{
    char key[SERIES_KEY_SIZE];
    series_key(c->space, tier, uid, key);
    GROW(c->trims, c->n_trims, c->trims_cap);
    c->trims[c->n_trims++] = (struct series_trim){arena_text(c->arena, key), before};
}

/* Slots of a tier that the store keeps: those before this time. */
static int64_t written_before(const struct live *l, enum tier t)
{
    return t == TIER_MINUTE ? INT64_MAX : l->written_until[t];
}

static bool wants_writing(const struct live *l, enum tier t, int64_t before)
{
    for (uint32_t i = 0; i < l->tiers[t].n && l->tiers[t].list[i].start < before; i++)
        if (l->tiers[t].list[i].dirty)
            return true;
    return false;
}

/* Is there anything to do? Moves the marks of the coarser tiers on. */
static bool has_changed(struct live *l, const struct counting *now)
{
    bool changed = l->fleet ? l->fleet->changed : l->position != l->stored_position;
    for (enum tier t = TIER_QUARTER; t < TIER_COUNT; t++)
        if (l->written_until[t] < slot_start(t, now->now))
            l->written_until[t] = slot_start(t, now->now);
    for (enum tier t = TIER_MINUTE; t < TIER_COUNT; t++)
        changed |= wants_writing(l, t, written_before(l, t)) ||
                   l->oldest_stored[t] < tier_oldest(t, now->now, now->retention_ms);
    return changed || l->leaving.n > 0;
}

static void add_slots(struct chunk *c, struct live *l, enum tier t)
{
    struct slots *s = &l->tiers[t];
    for (uint32_t i = 0; i < s->n && s->list[i].start < written_before(l, t); i++) {
        struct slot *slot = &s->list[i];
        if (!slot->dirty)
            continue;
        size_t len;
        const void *row = slot_row_make(c->arena, slot->bytes, slot->len, &len);
        put_record(c, (int)t, l->uid, slot->start, row, len);
        slot->dirty = false;
        GROW(c->slots, c->n_slots, c->slots_cap);
        c->slots[c->n_slots++] = (struct rolled_slot){l, t, slot->start};
        if (slot->start < l->oldest_stored[t])
            l->oldest_stored[t] = slot->start;
    }
}

/* Slots of 6 h whose time is over begin to leave. Queries go on seeing them in `leaving`, where
 * `dirty` means that the store may have a row of the slot: its time was over before, `until` which
 * slots were written. */
static void start_leaving(struct live *l, int64_t until)
{
    struct slots *from = &l->tiers[TIER_6H];
    uint32_t n = slots_from(from, l->written_until[TIER_6H]);
    for (uint32_t i = 0; i < n; i++) {
        int64_t start = from->list[i].start;
        struct slot *s = slots_at(&l->leaving, start);
        *s = from->list[i];
        s->dirty = start < until;
        from->list[i].bytes = NULL;
        if (start < l->oldest_stored[TIER_6H])
            l->oldest_stored[TIER_6H] = start;
        if (start > l->newest_6h)
            l->newest_6h = start;
    }
    slots_expire(from, l->written_until[TIER_6H]);
}

static void add_trims(struct chunk *c, struct live *l, const struct counting *now)
{
    for (enum tier t = TIER_MINUTE; t < TIER_COUNT; t++) {
        int64_t oldest = tier_oldest(t, now->now, now->retention_ms);
        if (l->oldest_stored[t] >= oldest)
            continue;
        put_trim(c, (int)t, l->uid, oldest);
        /* All rows but those of 6 h are in memory as well. */
        const struct slots *s = &l->tiers[t];
        uint32_t left = slots_from(s, oldest);
        if (t == TIER_6H)
            l->oldest_stored[t] = l->newest_6h < oldest ? INT64_MAX : oldest;
        else
            l->oldest_stored[t] = left < s->n ? s->list[left].start : INT64_MAX;
    }
}

/* The row that a leaving slot adds to. */
struct row_before {
    struct slot slot;
    struct workshop *workshop;
    bool ok;
    struct err err;
};

static bool take_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct row_before *r = ctx;
    (void)key, (void)at, (void)id;
    const void *bytes = slot_row_open(data, len, &len);
    r->ok =
        bytes ? slot_absorb_bytes(&r->slot, bytes, len, TIERS[TIER_6H].scale, r->workshop, &r->err)
              : fail(&r->err, &ERR_CORRUPT, "a stored slot has a wrong checksum");
    return r->ok;
}

/* Write one leaving slot, on top of the row that may be there. Only this thread writes such rows,
 * so it may read without the model's lock. */
static bool add_leaving(struct chunk *c, struct telemetry *t, uint64_t uid, const struct slot *s,
                        struct err *e)
{
    char key[SERIES_KEY_SIZE];
    struct row_before before = {.slot.start = s->start, .workshop = &t->round_workshop, .ok = true};
    struct series_read read = {.key = key,
                               .from = s->start,
                               .to = s->start + 1,
                               .limit = 1,
                               .each = take_row,
                               .ctx = &before};
    series_key(t->space, TIER_6H, uid, key);
    bool ok = !s->dirty || store_read_wait(t->config.store, &read, e);
    if (ok && !before.ok) {
        log_text(LOG_ERROR, "slot_damaged", before.err.detail); /* it is replaced by what we know */
        slot_release(&before.slot);
    }
    ok = ok && slot_absorb_bytes(&before.slot, s->bytes, s->len, TIERS[TIER_6H].scale,
                                 &t->round_workshop, e);
    if (ok) {
        size_t len;
        const void *row = slot_row_make(c->arena, before.slot.bytes, before.slot.len, &len);
        put_record(c, TIER_6H, uid, s->start, row, len);
    }
    slot_release(&before.slot);
    return ok;
}

static void expire_memory(struct live *l, const struct counting *now)
{
    for (enum tier t = 0; t < TIER_6H; t++)
        slots_expire(&l->tiers[t], tier_oldest(t, now->now, now->retention_ms));
}

/* Where several nodes share the store the rows say which deltas they have: whole ones. */
static void hold(struct telemetry *t, struct live *l)
{
    if (t->fleet)
        fleet_hold(t->fleet);
    pthread_mutex_lock(&l->lock);
}

static void let_go(struct telemetry *t, struct live *l)
{
    pthread_mutex_unlock(&l->lock);
    if (t->fleet)
        fleet_let_go(t->fleet);
}

bool chunk_add(struct chunk *c, struct telemetry *t, struct live *l, const struct counting *now,
               struct err *e)
{
    if (!c->arena)
        c->arena = arena_new(ARENA_MAX);
    c->space = t->space;
    hold(t, l);
    int64_t until = l->written_until[TIER_6H];
    live_settle(l, now);
    if (l->forgotten || !has_changed(l, now)) {
        expire_memory(l, now);
        let_go(t, l);
        return true;
    }
    for (enum tier tier = TIER_MINUTE; tier < TIER_6H; tier++)
        add_slots(c, l, tier);
    start_leaving(l, until);
    add_trims(c, l, now);
    expire_memory(l, now);
    size_t len;
    const void *row = model_row_make(c->arena, l, t->fleet, &len);
    put_record(c, -1, l->uid, 0, row, len);
    uint64_t position = l->position;
    if (l->fleet)
        l->fleet->changed = false;
    let_go(t, l);

    live_retain(l);
    GROW(c->models, c->n_models, c->models_cap);
    c->models[c->n_models++] = (struct rolled){l, position};
    /* Only rounds change `leaving`, and only one is under way. */
    for (uint32_t i = 0; i < l->leaving.n; i++) {
        c->moves_6h = true;
        if (!add_leaving(c, t, l->uid, &l->leaving.list[i], e))
            return false;
    }
    return true;
}

/* --- writing --- */

static void empty(struct chunk *c, struct telemetry *t)
{
    for (size_t i = 0; i < c->n_models; i++)
        live_release(c->models[i].live, &t->rings);
    c->n = c->n_trims = c->n_models = c->n_slots = 0;
    c->moves_6h = false;
    if (c->arena)
        arena_reset(c->arena);
}

static void settle_success(struct chunk *c)
{
    for (size_t i = 0; i < c->n_models; i++) {
        struct live *l = c->models[i].live;
        pthread_mutex_lock(&l->lock);
        l->stored_position = c->models[i].position;
        slots_release(&l->leaving);
        pthread_mutex_unlock(&l->lock);
    }
}

/* The store did not take it: what was clean on its behalf is dirty again, what was leaving comes
 * back. */
static void take_back(struct chunk *c, struct telemetry *t)
{
    struct err e;
    for (size_t i = 0; i < c->n_slots; i++) {
        struct rolled_slot *r = &c->slots[i];
        pthread_mutex_lock(&r->live->lock);
        struct slot *s = slots_find(&r->live->tiers[r->tier], r->start);
        if (s)
            s->dirty = true;
        pthread_mutex_unlock(&r->live->lock);
    }
    for (size_t i = 0; i < c->n_models; i++) {
        struct live *l = c->models[i].live;
        pthread_mutex_lock(&l->lock);
        for (uint32_t k = 0; k < l->leaving.n; k++) {
            struct slot *s = &l->leaving.list[k];
            if (!slot_absorb_bytes(slots_at(&l->tiers[TIER_6H], s->start), s->bytes, s->len,
                                   TIERS[TIER_6H].scale, &t->round_workshop, &e))
                log_text(LOG_ERROR, "slot_damaged", e.detail);
        }
        slots_release(&l->leaving);
        for (enum tier tier = TIER_MINUTE; tier < TIER_COUNT; tier++)
            l->oldest_stored[tier] = 0; /* delete by age once more */
        if (l->fleet)
            l->fleet->changed = true;
        pthread_mutex_unlock(&l->lock);
    }
}

bool chunk_write(struct chunk *c, struct telemetry *t, const struct series_mark *marks, size_t n,
                 struct err *e)
{
    if (c->n == 0 && c->n_trims == 0 && n == 0)
        return true;
    struct series_append append = {.records = c->records,
                                   .n = c->n,
                                   .trims = c->trims,
                                   .n_trims = c->n_trims,
                                   .marks = marks,
                                   .n_marks = n};
    /* A query of the 6 h tier reads memory and then the store: neither may see these slots twice.
     */
    bool moves = c->moves_6h;
    if (moves)
        pthread_rwlock_wrlock(&t->history);
    bool ok = store_append_wait(t->config.store, &append, e);
    if (ok)
        settle_success(c);
    else
        take_back(c, t);
    if (moves)
        pthread_rwlock_unlock(&t->history);
    empty(c, t);
    return ok;
}

void chunk_release(struct chunk *c, struct telemetry *t)
{
    if (c->n_models)
        take_back(c, t);
    empty(c, t);
    arena_free(c->arena);
    free(c->records);
    free(c->trims);
    free(c->models);
    free(c->slots);
}
