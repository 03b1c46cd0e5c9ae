/* Outcomes where several nodes share the store: blocks of the log on their way to all, and what
 * comes from all.
 *
 * A block is held from when it is durable until all know it, and some time longer: should the store
 * turn out to have lost what it had, it is told again. A position that is told is that of a block
 * and how many of its rows: a large block travels in pieces. */
#include "base/log.h"
#include "base/mem.h"
#include "selection/outcomes_impl.h"
#include "store/wait.h"

#include <stdlib.h>
#include <string.h>

#define ROW_BITS     18 /* OUTCOMES_WRITE_MAX is less than 2^18 */
#define WHOLE        ((UINT64_C(1) << ROW_BITS) - 1)
#define HELD_MAX     ((size_t)16 << 20) /* bytes of blocks that are told already */
#define COUNTERS_MAX ((size_t)64 << 20)
#define COUNTERS_KEY "outcomes/counters"

_Static_assert(OUTCOMES_WRITE_MAX < WHOLE, "rows of one position");

/* ---- what is held ---- */

void outcomes_hold(struct outcomes *o, uint64_t position, const char *payload, size_t len)
{
    struct outcomes_shared *s = o->shared;
    struct held_block *b = mem_zero(1, sizeof *b);
    b->position = position;
    b->payload = mem_copy(payload, len);
    b->len = len;
    b->rows = outcome_block_rows(b->payload, len, &b->n, &b->received_ms);
    pthread_mutex_lock(&s->lock);
    *(s->last ? &s->last->next : &s->first) = b;
    s->last = b;
    s->at = s->at ? s->at : b;
    s->held_bytes += len;
    atomic_fetch_add(&s->untold_bytes, len);
    pthread_mutex_unlock(&s->lock);
}

/* Of what is told so much is kept. */
static void let_go(struct outcomes_shared *s)
{
    while (s->first && s->first != s->at &&
           s->held_bytes - atomic_load(&s->untold_bytes) > HELD_MAX) {
        struct held_block *b = s->first;
        s->first = b->next;
        if (!s->first)
            s->last = NULL;
        s->held_bytes -= b->len;
        free(b->payload);
        free(b);
    }
}

/* The last block that is told as a whole. */
static uint64_t whole_blocks(uint64_t told)
{
    const uint64_t block = told >> ROW_BITS;
    return block == 0 || (told & WHOLE) == WHOLE ? block : block - 1;
}

/* The rows of a block that are told up to a position. */
static size_t told_rows(const struct held_block *b, uint64_t told)
{
    const uint64_t block = told >> ROW_BITS, rows = told & WHOLE;
    return block > b->position ? b->n : block < b->position ? 0 : rows < b->n ? rows : b->n;
}

/* Bring `at` to the first block that is not told as a whole. What was told may have gone back. */
static void seek(struct outcomes_shared *s, uint64_t told)
{
    size_t untold = atomic_load(&s->untold_bytes);
    if (told < s->sought) {
        s->at = s->first;
        untold = s->held_bytes;
    }
    for (; s->at && told_rows(s->at, told) == s->at->n; s->at = s->at->next)
        untold -= s->at->len;
    s->sought = told;
    atomic_store(&s->untold_bytes, untold);
}

static bool next_counters(struct outcomes_shared *s, uint64_t after, struct fact_batch *b)
{
    if (after != 0 || !s->counters_until)
        return false;
    *b = (struct fact_batch){.until = s->counters_until << ROW_BITS | WHOLE,
                             .kind = FACT_COUNTERS,
                             .n = 1,
                             .parts = {s->counters.data},
                             .lens = {s->counters.len}};
    return true;
}

static void add_rows(const struct held_block *h, uint64_t after, struct fact_batch *b)
{
    for (size_t i = told_rows(h, after); i < h->n && b->n < FACT_PARTS; i++) {
        struct outcome o;
        b->parts[b->n] = h->rows + i * OUTCOME_BLOCK_ROW;
        b->lens[b->n] = OUTCOME_BLOCK_ROW;
        b->hashes[b->n++] = outcome_row_read(h->rows + i * OUTCOME_BLOCK_ROW, &o)
                                ? outcome_hash(&o)
                                : 0; /* who hears it says so */
        b->until = h->position << ROW_BITS | (i + 1 == h->n ? WHOLE : i + 1);
    }
    b->at_ms = h->received_ms;
}

static bool next(void *self, uint64_t after, struct fact_batch *b)
{
    struct outcomes *o = self;
    struct outcomes_shared *s = o->shared;
    if (next_counters(s, after, b))
        return true;
    b->kind = FACT_OUTCOMES;
    b->n = 0;
    pthread_mutex_lock(&s->lock);
    seek(s, after);
    for (const struct held_block *h = s->at; h && b->n < FACT_PARTS; h = h->next)
        add_rows(h, after, b);
    pthread_mutex_unlock(&s->lock);
    return b->n > 0;
}

static void told(void *self, const struct fact_batch *b, size_t left_out, int64_t floor_ms)
{
    struct outcomes *o = self;
    struct outcomes_shared *s = o->shared;
    pthread_mutex_lock(&s->lock);
    if (floor_ms > o->window.floor_ms)
        o->window.floor_ms = floor_ms;
    seek(s, b->until);
    let_go(s);
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->told, whole_blocks(b->until));
    if (b->kind != FACT_OUTCOMES)
        return;
    pthread_mutex_lock(&o->lock);
    o->stats.accepted += b->n - left_out;
    o->stats.duplicate += left_out;
    pthread_mutex_unlock(&o->lock);
}

/* ---- what comes from all ---- */

static void hear_outcomes(struct outcomes *o, const struct fact *f)
{
    struct outcomes_shared *s = o->shared;
    for (size_t at = 0; at + OUTCOME_BLOCK_ROW <= f->len; at += OUTCOME_BLOCK_ROW) {
        struct outcome out;
        if (!outcome_row_read(f->data + at, &out)) {
            log_text(LOG_ERROR, "outcome_damaged", "a row of the common stream names no decision");
            continue;
        }
        pthread_mutex_lock(&s->lock);
        (void)outcome_window_add(&o->window, outcome_hash(&out), f->at_ms);
        pthread_mutex_unlock(&s->lock);
        outcomes_take_in(o, f->seq, &out, f->at_ms, s->after);
    }
}

/* What a node had counted before it shared the store. */
static void hear_counters(struct outcomes *o, const struct fact *f)
{
    uint64_t position;
    if (f->seq <= o->shared->after[OUTCOME_FOLLOWERS_MAX])
        return;
    pthread_mutex_lock(&o->lock);
    bool ok = outcome_counts_decode(&o->counts, f->data, f->len, true, &position);
    pthread_mutex_unlock(&o->lock);
    if (!ok)
        log_text(LOG_ERROR, "outcome_damaged", "counters in the common stream cannot be read");
}

static void hear(void *self, const struct fact *f)
{
    struct outcomes *o = self;
    if (f->kind == FACT_OUTCOMES)
        hear_outcomes(o, f);
    else if (f->kind == FACT_COUNTERS)
        hear_counters(o, f);
    o->shared->heard = f->seq;
}

/* ---- what is put away ---- */

struct reading {
    struct outcomes *outcomes;
    uint64_t position;
    bool found, ok;
};

/* [store] */
static bool take_counters(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                          size_t len)
{
    struct reading *r = ctx;
    (void)key, (void)at, (void)id;
    r->found = true;
    pthread_mutex_lock(&r->outcomes->lock);
    r->ok = outcome_counts_decode(&r->outcomes->counts, data, len, false, &r->position);
    pthread_mutex_unlock(&r->outcomes->lock);
    return false;
}

static bool read_counters(struct outcomes *o, struct reading *into, struct err *e)
{
    struct series_read r = {.key = COUNTERS_KEY, .each = take_counters, .ctx = into};
    return store_read_wait(o->config.store, &r, e);
}

/* Counters and followers as of what the store has of them; the rest comes from the stream. */
static bool begin(void *self, uint64_t *head, struct err *e)
{
    struct outcomes *o = self;
    struct outcomes_shared *s = o->shared;
    struct reading r = {.outcomes = o, .ok = true};
    for (size_t i = 0; i < o->config.follower_count; i++)
        if (o->config.followers[i].anew)
            o->config.followers[i].anew(o->config.followers[i].self);
    if (!read_counters(o, &r, e))
        return false;
    if (!r.found || !r.ok) {
        pthread_mutex_lock(&o->lock);
        outcome_counts_release(&o->counts);
        outcome_counts_init(&o->counts);
        pthread_mutex_unlock(&o->lock);
    }
    if (!r.ok)
        log_text(LOG_ERROR, "outcome_counts_lost", "the counters in the store are damaged");
    s->put_away = r.position;
    if (r.position > *head) /* moved here from elsewhere */
        *head = r.position;
    s->after[OUTCOME_FOLLOWERS_MAX] = s->heard = s->put_away;
    for (size_t i = 0; i < o->config.follower_count; i++) {
        const struct outcome_follower *f = &o->config.followers[i];
        s->after[i] = f->saved ? f->saved(f->self) : *head;
        s->after[i] = s->after[i] < *head ? s->after[i] : *head;
    }
    return true;
}

static uint64_t saved(void *self)
{
    const struct outcomes *o = self;
    uint64_t least = o->shared->put_away;
    for (size_t i = 0; i < o->config.follower_count; i++) {
        const struct outcome_follower *f = &o->config.followers[i];
        const uint64_t has = f->saved ? f->saved(f->self) : UINT64_MAX;
        least = has < least ? has : least;
    }
    return least;
}

static void put_away(void *self)
{
    struct outcomes *o = self;
    struct outcomes_shared *s = o->shared;
    struct bytes all = BYTES_INIT(COUNTERS_MAX);
    const int64_t oldest = clock_wall_ms(o->config.clock) - OUTCOMES_IDLE_MS;
    if (s->heard <= s->put_away)
        return;
    pthread_mutex_lock(&o->lock);
    bool ok = outcome_counts_encode(&o->counts, s->heard, oldest, &all);
    pthread_mutex_unlock(&o->lock);
    const struct series_record record = {COUNTERS_KEY, 0, "", all.data, all.len};
    struct series_append a = {.records = &record, .n = 1, .duty = true};
    bool away = ok && store_append_wait(o->config.store, &a, NULL);
    bytes_release(&all);
    if (away)
        s->put_away = s->heard;
    else
        log_text(LOG_WARN, "outcome_counts_not_saved", ok ? a.err.detail : "they are too many");
}

/* ---- life ---- */

/* What this node counted while nobody else did, if it has never told anything. */
static void take_old_counters(struct outcomes *o)
{
    struct outcomes_shared *s = o->shared;
    struct outcome_counts old;
    struct err e = {0};
    uint64_t position = 0;
    outcome_counts_init(&old);
    if (!outcome_counts_load(&old, o->counts_file, &position, &e))
        log_text(LOG_ERROR, "outcome_counts_lost", e.detail);
    else if (position && outcome_counts_encode(&old, position, 0, &s->counters))
        s->counters_until = position;
    outcome_counts_release(&old);
}

bool outcomes_share(struct outcomes *o, struct err *e)
{
    struct outcomes_shared *s = o->shared = mem_zero(1, sizeof *s);
    uint64_t reaches;
    pthread_mutex_init(&s->lock, NULL);
    s->counters = BYTES_INIT(COUNTERS_MAX);
    const struct fact_teller teller = {.name = "outcomes",
                                       .next = next,
                                       .told = told,
                                       .window_ms = o->config.window_ms,
                                       .window_max = o->config.window_max,
                                       .self = o};
    const struct fact_hearer hearer = {
        .begin = begin, .saved = saved, .fact = hear, .put_away = put_away, .self = o};
    facts_add_teller(o->config.facts, &teller);
    facts_add_hearer(o->config.facts, &hearer);
    if (!facts_reaches(o->config.facts, teller.name, &reaches, e))
        return false;
    atomic_store(&s->told, whole_blocks(reaches));
    s->reached = reaches >> ROW_BITS;
    if (reaches == 0)
        take_old_counters(o);
    return true;
}

void outcomes_shared_free(struct outcomes_shared *s)
{
    if (!s)
        return;
    for (struct held_block *b = s->first, *next_one; b; b = next_one) {
        next_one = b->next;
        free(b->payload);
        free(b);
    }
    bytes_release(&s->counters);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
