#include "telemetry/arm.h"

#include <string.h>

#define MINUTE_MS 60000

void arm_init(struct arm *a)
{
    memset(&a->view, 0, sizeof a->view);
    for (int i = 0; i <= HEALTH_MINUTES; i++)
        tally_init(&a->minutes[i], SKETCH_SCALE);
    tally_init(&a->five, SKETCH_SCALE);
}

void arm_release(struct arm *a)
{
    for (int i = 0; i <= HEALTH_MINUTES; i++)
        tally_release(&a->minutes[i]);
    tally_release(&a->five);
}

/* Place of a time's minute in `minutes`, or -1. */
static int place_of(int64_t ms, int64_t first)
{
    int64_t i = (ms - first) / MINUTE_MS;
    return ms >= first && i <= HEALTH_MINUTES ? (int)i : -1;
}

struct gathering {
    struct arm *arm;
    int64_t first;
};

/* Tallies finer than a quarter of an hour are in no minute's slot yet. */
static bool gather_pending(void *ctx, const struct pending *p)
{
    struct gathering *g = ctx;
    struct err e;
    const int at = place_of(p->start, g->first);
    if (at < 0 || TIERS[p->tier].scale != SKETCH_SCALE)
        return true;
    struct tally *minute = &g->arm->minutes[at];
    if (p->tally)
        tally_merge(minute, p->tally);
    else if (!tally_merge_bytes(minute, p->bytes, p->len, &e))
        tally_clear(minute);
    return true;
}

static void gather(struct arm *a, struct live *l, int64_t first)
{
    struct err e;
    const struct slots *slots = &l->tiers[TIER_MINUTE];
    for (uint32_t i = slots_from(slots, first); i < slots->n; i++) {
        int at = place_of(slots->list[i].start, first);
        if (at >= 0 && slots->list[i].bytes &&
            !tally_merge_bytes(&a->minutes[at], slots->list[i].bytes, slots->list[i].len, &e))
            tally_clear(&a->minutes[at]);
    }
    struct gathering g = {a, first};
    live_each_pending(l, gather_pending, &g);
}

void arm_read(struct arm *a, struct live *l, int64_t now_ms)
{
    const int64_t first =
        slot_start(TIER_MINUTE, now_ms) - (HEALTH_MINUTES - 1) * (int64_t)MINUTE_MS;
    for (int i = 0; i <= HEALTH_MINUTES; i++)
        tally_clear(&a->minutes[i]);
    tally_clear(&a->five);
    memset(&a->view, 0, sizeof a->view);
    a->view.five = &a->five.latency;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    gather(a, l, first);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < HEALTH_MINUTES; i++) {
        const struct tally *t = &a->minutes[i];
        uint64_t total = sketch_count(&t->latency);
        if (!total)
            continue;
        a->view.minutes[a->view.n_minutes++] =
            (struct health_minute){first + i * (int64_t)MINUTE_MS, total, t->failure, &t->latency};
        if (i >= HEALTH_MINUTES - 5)
            tally_merge(&a->five, t);
    }
    a->view.five_total = sketch_count(&a->five.latency);
    a->view.five_failed = a->five.failure;
}
