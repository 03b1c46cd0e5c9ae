/* How counting becomes durable in one paragraph.
 *
 * Blocks have positions; the log writer counts a block only after its fdatasync. `position` is the
 * last block of which this model's records were counted, all of them under one hold of the lock. A
 * roll-up (rollup.c) settles the model under its lock and writes what has changed together with
 * `position` in one transaction. So the store's rows of a model always say: every record up to that
 * position, and none after. A restart loads the rows, reads the log, and counts a block's records
 * of a model if its position is greater. It does not matter when the process dies. */
#include "telemetry/live.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Where each tier's open tallies lie in `open`. */
static const struct {
    int first, count;
} places[TIER_COUNT] = {{0, 2}, {2, 2}, {4, 1}, {5, 1}, {6, 1}};

/* Zeroed memory that begins with a cache line. */
static void *aligned_zero(size_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size) != 0)
        abort();
    return memset(memory, 0, size);
}

struct live *live_new(uint64_t uid, bool fleet)
{
    struct live *l = aligned_zero(sizeof *l);
    l->fleet = fleet ? mem_zero(1, sizeof *l->fleet) : NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->uid = uid;
    words_init(&l->errors, KINDS_MAX);
    words_init(&l->names, KINDS_MAX);
    for (int t = 0; t < TIER_COUNT; t++)
        l->oldest_stored[t] = INT64_MAX;
    atomic_init(&l->references, 1);
    return l;
}

void live_retain(struct live *l)
{
    atomic_fetch_add(&l->references, 1);
}

void live_drop_open(struct open_tally set[OPEN_COUNT])
{
    for (int i = 0; i < OPEN_COUNT; i++)
        if (set[i].tally) {
            tally_release(set[i].tally);
            free(set[i].tally);
            set[i].tally = NULL;
        }
}

void live_release(struct live *l, struct ring_budget *rings)
{
    if (atomic_fetch_sub(&l->references, 1) != 1)
        return;
    live_drop_open(l->open);
    live_fleet_free(l->fleet);
    ring_release(&l->ring, rings);
    for (int t = 0; t < TIER_COUNT; t++)
        slots_release(&l->tiers[t]);
    slots_release(&l->leaving);
    slot_release(&l->lifetime);
    words_release(&l->errors);
    words_release(&l->names);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

enum tier live_tier_of(int64_t ms, const struct counting *c)
{
    enum tier t = TIER_5S;
    if (slot_start(t, ms) < c->since)
        t = TIER_MINUTE;
    while (t < TIER_6H && ms < tier_oldest(t, c->now, c->retention_ms))
        t++;
    return t;
}

/* --- closing --- */

static void absorb(struct slot *s, const struct tally *t, int scale, struct workshop *w)
{
    struct err e;
    /* Slots in memory are our own encoding: damage here is a bug or broken memory. */
    if (!slot_absorb(s, t, scale, w, &e))
        log_text(LOG_ERROR, "slot_damaged", e.detail);
}

/* Of a tier that has too many the older half becomes one tier coarser. Others have no finer slots
 * of that time any more; so the margin is for clocks that differ. */
static void coarsen(struct slots waiting[TIER_COUNT], const struct counting *c)
{
    struct err e;
    for (enum tier t = TIER_5S; t < TIER_6H; t++) {
        struct slots *s = &waiting[t];
        const uint32_t kept = (uint32_t)TIERS[t].slots;
        if (s->n <= 2 * kept)
            continue;
        for (uint32_t i = 0; i < s->n - kept; i++)
            if (!slot_absorb_bytes(slots_at(&waiting[t + 1], slot_start(t + 1, s->list[i].start)),
                                   s->list[i].bytes, s->list[i].len, TIERS[t + 1].scale,
                                   c->workshop, &e))
                log_text(LOG_ERROR, "slot_damaged", e.detail);
        slots_expire(s, s->list[s->n - kept].start);
    }
}

static void close_tally(struct live *l, struct open_tally *set, enum tier tier,
                        struct open_tally *o, const struct counting *c)
{
    struct open_tally closed = *o;
    o->tally = NULL;
    if (l->fleet && set == l->open) {
        absorb(slots_at(&l->fleet->waiting[tier], closed.start), closed.tally, TIERS[tier].scale,
               c->workshop);
        coarsen(l->fleet->waiting, c);
    } else if (tier == TIER_5S) {
        absorb(slots_at(&l->tiers[TIER_5S], closed.start), closed.tally, TIERS[TIER_5S].scale,
               c->workshop);
        slots_expire(&l->tiers[TIER_5S], tier_oldest(TIER_5S, c->now, 0));
        tally_merge(live_open(l, set, TIER_MINUTE, slot_start(TIER_MINUTE, closed.start), c),
                    closed.tally);
    } else {
        for (enum tier t = tier; t < TIER_COUNT; t++)
            absorb(slots_at(&l->tiers[t], slot_start(t, closed.start)), closed.tally,
                   TIERS[t].scale, c->workshop);
        absorb(&l->lifetime, closed.tally, 0, c->workshop);
    }
    tally_release(closed.tally);
    free(closed.tally);
}

struct tally *live_open(struct live *l, struct open_tally set[OPEN_COUNT], enum tier tier,
                        int64_t start, const struct counting *c)
{
    struct open_tally *places_of = &set[places[tier].first], *use = places_of;
    for (int i = 0; i < places[tier].count; i++) {
        struct open_tally *o = &places_of[i];
        if (o->tally && o->start == start)
            return o->tally;
        if (use->tally && (!o->tally || o->start < use->start))
            use = o;
    }
    if (use->tally)
        close_tally(l, set, tier, use, c);
    use->start = start;
    use->tally = aligned_zero((sizeof *use->tally + 63) / 64 * 64);
    tally_init(use->tally, TIERS[tier].scale);
    return use->tally;
}

void live_settle(struct live *l, const struct counting *c)
{
    struct open_tally *set = l->fleet ? l->fleet->shared : l->open;
    for (enum tier t = 0; t < TIER_COUNT; t++)
        for (int i = 0; i < places[t].count; i++)
            if (set[places[t].first + i].tally)
                close_tally(l, set, t, &set[places[t].first + i], c);
}

/* --- counting --- */

/* The payload's number of a word is not the model's: the last few translations are kept. */
#define TRANSLATIONS 16
struct translation {
    uint32_t from[TRANSLATIONS], to[TRANSLATIONS]; /* from: word + 1 */
};

static uint32_t translate(struct words *words, struct translation *known, const struct payload *p,
                          uint32_t word)
{
    uint32_t at = word % TRANSLATIONS;
    if (known->from[at] == word + 1)
        return known->to[at];
    size_t len;
    const char *text = payload_word(p, word, &len);
    uint32_t kind = words_put(words, text, len);
    known->from[at] = word + 1;
    known->to[at] = kind == WORD_NONE ? KIND_OTHER : kind;
    return known->to[at];
}

struct group {
    struct live *live;
    const struct payload *payload;
    const struct counting *counting;
    struct translation errors, names;
};

static void count_rare(struct group *g, struct tally *t, const struct payload_record *r)
{
    uint32_t error = (uint32_t)(r->bits & RECORD_ERROR_MASK);
    t->failure += (r->bits & RECORD_FAILURE) != 0;
    t->skewed += (r->bits & RECORD_SKEWED) != 0;
    t->mismatched += (r->bits & RECORD_MISMATCHED) != 0;
    if (error)
        tally_add_error(t, translate(&g->live->errors, &g->errors, g->payload, error - 1));
}

static uint32_t count_scores(struct group *g, struct tally *t, uint32_t record, uint32_t score)
{
    const struct payload *p = g->payload;
    for (; score < p->head.scores && p->scores[score].record == record; score++)
        tally_add_score(
            t, translate(&g->live->names, &g->names, p, p->head.errors + p->scores[score].name),
            p->scores[score].value);
    return score;
}

static inline uint32_t count_record(struct group *g, struct tally *t, uint32_t record,
                                    uint32_t score)
{
    const struct payload *p = g->payload;
    const struct payload_record *r = &p->records[record];
    sketch_add(&t->latency, r->latency_ms);
    if (__builtin_expect((r->bits & RECORD_RARE_MASK) != 0, 0))
        count_rare(g, t, r);
    if (score < p->head.scores && p->scores[score].record == record)
        score = count_scores(g, t, record, score);
    return score;
}

/* The tally for a time, if it is open or may be opened at once: when a place is free, or when it is
 * newer than what its tier has open. NULL: it is late; opening it would close what is in use. */
static struct tally *tally_for(struct live *l, int64_t ms, const struct counting *c)
{
    int64_t five = slot_start(TIER_5S, ms);
    for (int i = 0; i < 2; i++)
        if (l->open[i].start == five && l->open[i].tally)
            return l->open[i].tally;
    enum tier tier = live_tier_of(ms, c);
    int64_t start = slot_start(tier, ms);
    bool newer = true, free_place = false;
    for (int i = 0; i < places[tier].count; i++) {
        const struct open_tally *o = &l->open[places[tier].first + i];
        if (!o->tally)
            free_place = true;
        else if (o->start == start)
            return o->tally;
        else if (o->start > start)
            newer = false;
    }
    return newer || free_place ? live_open(l, l->open, tier, start, c) : NULL;
}

/* A record that waits until the others are counted, so that each slot of the past is opened once a
 * batch. */
struct late {
    int64_t ms;
    uint32_t record, score;
};

static int by_time(const void *a, const void *b)
{
    const struct late *x = a, *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static void count_late(struct group *g, struct late *late, size_t n)
{
    const struct counting *c = g->counting;
    qsort(late, n, sizeof *late, by_time);
    for (size_t i = 0; i < n; i++) {
        enum tier tier = live_tier_of(late[i].ms, c);
        struct tally *t = live_open(g->live, g->live->open, tier, slot_start(tier, late[i].ms), c);
        count_record(g, t, late[i].record, late[i].score);
    }
}

void live_count_windows(struct live *l, struct live_records *r, const struct counting *c)
{
    const struct payload *p = r->payload;
    struct group g = {.live = l, .payload = p, .counting = c};
    struct late *late = NULL;
    size_t n_late = 0;
    struct tally *last = NULL;
    const int64_t span = TIERS[TIER_5S].slot_ms;
    int64_t last_start = -span;
    uint32_t end = r->first + r->n;
    for (uint32_t i = r->first; i < end; i++) {
        const int64_t ms = record_time(&p->records[i]);
        if (ms < last_start || ms - last_start >= span) { /* dividing each was a third of this */
            last = tally_for(l, ms, c);
            last_start = slot_start(TIER_5S, ms);
        }
        if (last) {
            r->score = count_record(&g, last, i, r->score);
            continue;
        }
        if (!late)
            late = mem_alloc((end - i) * sizeof *late);
        late[n_late++] = (struct late){ms, i, r->score};
        while (r->score < p->head.scores && p->scores[r->score].record == i)
            r->score++;
    }
    if (n_late)
        count_late(&g, late, n_late);
    free(late);
}

void live_count_ring(struct live *l, const struct live_records *r, const struct counting *c)
{
    const struct payload_record *records = r->payload->records + r->first;
    for (uint32_t i = ring_passing(&l->ring, r->n, c->rings); i < r->n; i++)
        ring_push(&l->ring, records[i].latency_ms, record_time(&records[i]), c->rings);
}

enum tier live_tier_of_place(int i)
{
    enum tier t = TIER_5S;
    while (i >= places[t].first + places[t].count)
        t++;
    return t;
}

struct sum {
    uint64_t own;
    size_t bytes;
    struct workshop *workshop;
};

static bool add_pending(void *ctx, const struct pending *p)
{
    struct sum *s = ctx;
    s->bytes += p->tally ? tally_memory(p->tally) : sizeof(struct slot) + p->len;
    if (p->own && s->workshop) {
        const struct slot slot = {.bytes = (char *)(uintptr_t)p->bytes, .len = (uint32_t)p->len};
        s->own += p->tally ? sketch_count(&p->tally->latency) : slot_count(&slot, s->workshop);
    }
    return true;
}

uint64_t live_total(const struct live *l, struct workshop *w)
{
    struct sum sum = {.workshop = w};
    live_each_pending(l, add_pending, &sum);
    return slot_count(l->fleet ? &l->fleet->own : &l->lifetime, w) + sum.own;
}

size_t live_memory(const struct live *l)
{
    struct sum sum = {.bytes = sizeof *l + l->lifetime.len + words_memory(&l->errors) +
                               words_memory(&l->names)};
    if (l->fleet)
        sum.bytes += sizeof *l->fleet + l->fleet->own.len;
    live_each_pending(l, add_pending, &sum);
    for (int t = 0; t < TIER_COUNT; t++)
        sum.bytes += slots_memory(&l->tiers[t]);
    return sum.bytes + slots_memory(&l->leaving);
}
