#include "telemetry/fleet.h"
#include "telemetry/internal.h"

#define AHEAD   16 /* models that are locked and brought into the cache together */
#define TOUCHED 8  /* records of one of them; with more of them it is in the cache soon */

struct counting counting_now(const struct telemetry *t, struct workshop *w)
{
    return (struct counting){.now = clock_wall_ms(t->config.clock),
                             .retention_ms = t->retention_ms,
                             .since = atomic_load(&t->since),
                             .workshop = w,
                             .rings = (struct ring_budget *)(uintptr_t)&t->rings};
}

void forget_seconds(struct telemetry *t)
{
    const int64_t now = clock_wall_ms(t->config.clock);
    atomic_store(&t->since, slot_start(TIER_5S, now) + TIERS[TIER_5S].slot_ms);
}

static bool is_dead(const struct telemetry *t, uint64_t uid)
{
    for (size_t i = 0; i < t->n_dead; i++)
        if (t->dead[i] == uid)
            return true;
    return false;
}

struct live *count_model_of(struct telemetry *t, uint64_t uid)
{
    struct live *l = models_peek(&t->models, uid);
    return l || is_dead(t, uid) ? l : models_get_or_add(&t->models, uid);
}

/* A few groups of a payload that are counted together. */
struct stretch {
    const struct payload *payload;
    const struct payload_group *groups;
    struct live *lives[AHEAD];
    uint32_t n, record, score; /* groups; its first record; the next score */
    uint64_t position;
};

/* Lock the models, always in the order of their addresses, and touch what they point to. */
static void lock_models(const struct stretch *s)
{
    struct live *sorted[AHEAD];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!s->lives[i])
            continue;
        uint32_t at = n++;
        for (; at > 0 && sorted[at - 1] > s->lives[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = s->lives[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        pthread_mutex_lock(&sorted[i]->lock);
        for (int k = 0; k < 2; k++)
            if (sorted[i]->open[k].tally)
                sketch_prefetch(&sorted[i]->open[k].tally->latency);
    }
}

static void unlock_models(const struct stretch *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->lives[i])
            pthread_mutex_unlock(&s->lives[i]->lock);
}

static void touch_counters(const struct stretch *s)
{
    const struct payload_record *r = &s->payload->records[s->record];
    for (uint32_t i = 0; i < s->n; r += s->groups[i++].records) {
        const struct live *l = s->lives[i];
        if (!l)
            continue;
        const struct open_tally *o = &l->open[l->open[0].start < l->open[1].start];
        for (uint32_t k = 0; o->tally && k < s->groups[i].records && k < TOUCHED; k++)
            sketch_prefetch_cell(&o->tally->latency, r[k].latency_ms);
        if (l->ring.samples)
            __builtin_prefetch(&l->ring.samples[l->ring.next], 1); /* may be one past the end */
    }
}

/* Count the records of a group; those that a replay meets again only where they are not yet. */
static void count_group(struct stretch *s, struct live *l, uint32_t n, bool replay,
                        const struct counting *c)
{
    const struct payload *p = s->payload;
    struct live_records r = {p, s->record, n, s->score};
    if (l) {
        bool windows = !replay || (s->position > l->stored_position && s->position > c->shipped);
        bool ring = !replay || s->position > l->ring_position;
        if (windows)
            live_count_windows(l, &r, c);
        if (ring)
            live_count_ring(l, &r, c);
        l->replayed += replay && !windows ? n : 0;
        l->ring_replayed += replay && ring ? n : 0;
        if (s->position > l->position)
            l->position = s->position;
    }
    s->record += n;
    s->score = r.score;
    while (s->score < p->head.scores && p->scores[s->score].record < s->record)
        s->score++;
}

/* Cache misses are the cost when thousands of models take turns, so a few models at a time go
 * through three steps: find and touch; lock and touch what they point to; count. No other thread
 * holds more than one of these locks. A replay is alone and needs none. */
void count_block(struct telemetry *t, const struct payload *p, uint64_t position, bool replay,
                 const struct counting *c)
{
    struct stretch s = {.payload = p, .position = position};
    for (uint32_t from = 0; from < p->head.groups; from += AHEAD) {
        s.n = p->head.groups - from < AHEAD ? p->head.groups - from : AHEAD;
        s.groups = p->groups + from;
        for (uint32_t i = s.n; i < 2 * AHEAD && from + i < p->head.groups; i++)
            models_prefetch(&t->models, s.groups[i].uid);
        for (uint32_t i = 0; i < s.n; i++) {
            s.lives[i] = count_model_of(t, s.groups[i].uid);
            if (s.lives[i])
                live_prefetch(s.lives[i]);
        }
        if (!replay)
            lock_models(&s);
        touch_counters(&s);
        for (uint32_t i = 0; i < s.n; i++) {
            count_group(&s, s.lives[i], (uint32_t)s.groups[i].records, replay, c);
            if (t->fleet && s.lives[i])
                fleet_list(t->fleet, s.lives[i]);
        }
        if (!replay)
            unlock_models(&s);
    }
}
