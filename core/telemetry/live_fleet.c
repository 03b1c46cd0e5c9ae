/* What a model has beside its windows where several nodes share the store. */
#include "telemetry/live.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void live_fleet_free(struct live_fleet *f)
{
    if (!f)
        return;
    live_drop_open(f->shared);
    live_drop_open(f->cut);
    for (int t = 0; t < TIER_COUNT; t++) {
        slots_release(&f->cut_slots[t]);
        slots_release(&f->waiting[t]);
    }
    slot_release(&f->own);
    free(f->row);
    free(f);
}

void live_cut(struct live *l)
{
    struct live_fleet *f = l->fleet;
    memcpy(f->cut, l->open, sizeof f->cut);
    memset(l->open, 0, sizeof l->open);
    memcpy(f->cut_slots, f->waiting, sizeof f->cut_slots);
    memset(f->waiting, 0, sizeof f->waiting);
}

/* The finest tier that both the sender and this node count a slot in. */
static enum tier tier_here(enum tier tier, int64_t start, const struct counting *c)
{
    enum tier here = live_tier_of(start, c);
    return here > tier ? here : tier;
}

bool live_take(struct live *l, enum tier tier, int64_t start, const struct tally_bytes *b,
               const struct counting *c, struct err *e)
{
    const enum tier here = tier_here(tier, start, c);
    l->fleet->changed = true;
    return tally_merge_kinds(live_open(l, l->fleet->shared, here, slot_start(here, start), c), b,
                             e);
}

bool live_take_own(struct live *l, const struct tally_bytes *b, const struct counting *c,
                   struct err *e)
{
    return slot_absorb_bytes(&l->fleet->own, b->data, b->len, 0, c->workshop, e);
}

static void say_damaged(bool ok, const struct err *e)
{
    /* It is our own encoding: this is a bug, or broken memory. */
    if (!ok)
        log_text(LOG_ERROR, "slot_damaged", e->detail);
}

static void join_tally(struct live *l, enum tier tier, struct open_tally *o,
                       const struct counting *c)
{
    struct err e;
    const enum tier here = tier_here(tier, o->start, c);
    tally_merge(live_open(l, l->fleet->shared, here, slot_start(here, o->start), c), o->tally);
    say_damaged(slot_absorb(&l->fleet->own, o->tally, 0, c->workshop, &e), &e);
}

static void join_slots(struct live *l, enum tier tier, struct slots *s, const struct counting *c)
{
    struct err e;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct tally_bytes b = {s->list[i].bytes, s->list[i].len, NULL};
        say_damaged(live_take(l, tier, s->list[i].start, &b, c, &e), &e);
        say_damaged(live_take_own(l, &b, c, &e), &e);
    }
    slots_release(s);
}

void live_join(struct live *l, const struct counting *c)
{
    struct live_fleet *f = l->fleet;
    f->changed = true;
    for (int i = 0; i < OPEN_COUNT; i++)
        if (f->cut[i].tally)
            join_tally(l, live_tier_of_place(i), &f->cut[i], c);
    live_drop_open(f->cut);
    for (enum tier t = 0; t < TIER_COUNT; t++)
        join_slots(l, t, &f->cut_slots[t], c);
}

/* --- what is in no slot yet --- */

struct visit {
    bool (*each)(void *ctx, const struct pending *p);
    void *ctx;
};

static bool visit_open(const struct visit *v, const struct open_tally set[OPEN_COUNT], bool own)
{
    bool on = true;
    for (int i = 0; on && i < OPEN_COUNT; i++)
        if (set[i].tally) {
            const struct pending p = {.tier = live_tier_of_place(i),
                                      .start = set[i].start,
                                      .tally = set[i].tally,
                                      .own = own};
            on = v->each(v->ctx, &p);
        }
    return on;
}

static bool visit_slots(const struct visit *v, const struct slots tiers[TIER_COUNT])
{
    bool on = true;
    for (enum tier t = 0; on && t < TIER_COUNT; t++)
        for (uint32_t i = 0; on && i < tiers[t].n; i++) {
            const struct slot *s = &tiers[t].list[i];
            const struct pending p = {
                .tier = t, .start = s->start, .bytes = s->bytes, .len = s->len, .own = true};
            on = v->each(v->ctx, &p);
        }
    return on;
}

bool live_each_cut(const struct live *l, bool (*each)(void *ctx, const struct pending *p),
                   void *ctx)
{
    const struct visit v = {each, ctx};
    return visit_open(&v, l->fleet->cut, true) && visit_slots(&v, l->fleet->cut_slots);
}

bool live_each_pending(const struct live *l, bool (*each)(void *ctx, const struct pending *p),
                       void *ctx)
{
    const struct visit v = {each, ctx};
    const struct live_fleet *f = l->fleet;
    return visit_open(&v, l->open, true) &&
           (!f || (visit_open(&v, f->shared, false) && visit_slots(&v, f->waiting) &&
                   live_each_cut(l, each, ctx)));
}
