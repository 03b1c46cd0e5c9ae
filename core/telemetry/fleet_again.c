/* A gap that is found while the node runs: what comes next of another node's stream has left it,
 * since this one was cut off for too long. It cannot be had any more, but what it adds up to can:
 * another node has it in its rows, with all that came before, from all nodes. So the windows here
 * are replaced by those of such a node, model by model, in the store and in memory; then the
 * streams are counted from where these rows have them, this node's own as well. What this node has
 * not told yet is apart from all that (live.h) and stays as it is.
 *
 * Kinds of errors and scores are numbers of the model's dictionary here, so they are translated on
 * the way. The marks come last: a node that dies before finds the gap when it starts.
 *
 * It waits, and tries again, until some node has rolled up what is missing: each does so for its
 * own stream every minute. If nobody comes to have it, it is lost, as at a start. */
#include "store/wait.h"
#include "telemetry/fleet_copy.h"
#include "telemetry/series.h"

#include "base/latch.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY_HAS_NS INT64_C(300000000000) /* it: some roll-ups of all nodes */

struct again {
    struct fleet *fleet;
    struct copying copy;
    struct tally_kinds kinds; /* what theirs are here */
    struct {                  /* what was in the windows before */
        struct taken *list;
        size_t n;
    } before;
};

/* --- whose --- */

static void keep_taken(struct again *a)
{
    const struct fleet *f = a->fleet;
    a->before.list = mem_alloc((f->n_taken + 1) * sizeof *a->before.list);
    memcpy(a->before.list, f->taken, f->n_taken * sizeof *f->taken);
    a->before.n = f->n_taken;
}

/* Places that have come since stay at their beginning. */
static void back_to_taken(struct again *a)
{
    struct fleet *f = a->fleet;
    pthread_mutex_lock(&f->taking);
    for (size_t i = 0; i < f->n_taken; i++) {
        const uint64_t reaches = f->taken[i].reaches;
        f->taken[i] = i < a->before.n ? a->before.list[i] : (struct taken){.reaches = reaches};
    }
    pthread_mutex_unlock(&f->taking);
}

/* --- a model's rows, in the numbers of the dictionary here --- */

static void translate(struct words *theirs, struct words *ours, uint8_t *kinds)
{
    memset(kinds, KIND_OTHER, KINDS_MAX + 1);
    for (uint32_t i = 0; i < theirs->n; i++) {
        size_t len;
        const char *text = words_get(theirs, i, &len);
        const uint32_t kind = words_put(ours, text, len);
        kinds[i] = (uint8_t)(kind == WORD_NONE ? KIND_OTHER : kind);
    }
    words_release(theirs);
    words_init(theirs, KINDS_MAX);
    for (uint32_t i = 0; i < ours->n; i++) {
        size_t len;
        const char *text = words_get(ours, i, &len);
        words_put(theirs, text, len);
    }
}

/* Translated, in the thread's buffer. */
static bool recast(struct again *a, const void *bytes, size_t len, int scale, struct err *e)
{
    struct workshop *w = &a->fleet->workshop;
    struct tally *sum = &w->of_scale[scale];
    const struct tally_bytes b = {bytes, len, &a->kinds};
    tally_clear(sum);
    if (!tally_merge_kinds(sum, &b, e))
        return false;
    bytes_clear(&w->bytes);
    return tally_encode(sum, &w->bytes) || fail(e, &ERR_MEMORY, "a slot of metrics is too large");
}

static bool recast_lifetime(struct again *a, struct slot *s, struct err *e)
{
    const struct bytes *made = &a->fleet->workshop.bytes;
    if (!s->bytes)
        return true;
    if (!recast(a, s->bytes, s->len, 0, e))
        return false;
    s->bytes = mem_resize(s->bytes, made->len, 1);
    memcpy(s->bytes, made->data, made->len);
    s->len = (uint32_t)made->len;
    return true;
}

/* A slot's record; in memory as well where a start would load it. */
static bool recast_slot(struct again *a, struct live *made, enum tier tier, struct series_record *r,
                        struct err *e)
{
    struct workshop *w = &a->fleet->workshop;
    size_t len;
    const void *bytes = slot_row_open(r->data, r->len, &len);
    if (!bytes)
        return fail(e, &ERR_CORRUPT, "a stored slot of metrics has a wrong checksum ('%s')",
                    r->key);
    if (!recast(a, bytes, len, TIERS[tier].scale, e))
        return false;
    r->data = slot_row_make(a->copy.arena, w->bytes.data, w->bytes.len, &r->len);
    if (tier == TIER_6H)
        return true;
    struct slot *s = slots_at(&made->tiers[tier], r->at);
    s->bytes = mem_resize(s->bytes, w->bytes.len, 1);
    s->len = (uint32_t)w->bytes.len;
    memcpy(s->bytes, w->bytes.data, w->bytes.len);
    if (r->at < made->oldest_stored[tier])
        made->oldest_stored[tier] = r->at;
    return true;
}

/* The model's row as roll-ups make it, with the streams as far as theirs has them. */
static void make_row(struct again *a, struct live *made)
{
    const struct live_fleet *theirs = made->fleet;
    struct series_record *r = &a->copy.records[0];
    struct taken *has = arena_zero(a->copy.arena, (theirs->n_row + 1) * sizeof *has);
    for (size_t i = 0; i < theirs->n_row; i++)
        has[i] = (struct taken){.at = theirs->row[i], .whole = theirs->row[i].position};
    const struct fleet then = {.place = a->fleet->place, .taken = has, .n_taken = theirs->n_row};
    r->data = model_row_make(a->copy.arena, made, &then, &r->len);
}

static bool recast_all(struct again *a, struct live *l, struct live *made, struct err *e)
{
    struct copying *c = &a->copy;
    if (!model_row_open(made, c->records[0].data, c->records[0].len, e))
        return false;
    pthread_mutex_lock(&l->lock);
    translate(&made->errors, &l->errors, a->kinds.errors);
    translate(&made->names, &l->names, a->kinds.names);
    pthread_mutex_unlock(&l->lock);
    if (!recast_lifetime(a, &made->lifetime, e))
        return false;
    for (enum tier tier = TIER_MINUTE; tier < TIER_COUNT; tier++)
        for (size_t i = c->first[tier]; i < c->first[tier + 1]; i++)
            if (!recast_slot(a, made, tier, &c->records[i], e))
                return false;
    make_row(a, made);
    return build_coarser(made, &a->fleet->workshop, e);
}

/* --- it becomes that of this node --- */

static bool write_rows(struct again *a, uint64_t uid, struct err *e)
{
    enum { KINDS = TIER_COUNT };
    struct store *s = a->fleet->telemetry->config.store;
    char keys[KINDS][SERIES_KEY_SIZE];
    struct series_trim trims[KINDS];
    for (int tier = 0; tier < KINDS; tier++) {
        series_key(a->copy.to, tier == 0 ? -1 : tier, uid, keys[tier]);
        trims[tier] = (struct series_trim){keys[tier], INT64_MAX};
    }
    struct series_append gone = {.trims = trims, .n_trims = KINDS};
    struct series_append come = {.records = a->copy.records, .n = a->copy.n};
    return store_append_wait(s, &gone, e) && (come.n == 0 || store_append_wait(s, &come, e));
}

/* [lock] What all nodes have counted; what this one alone has is left. */
static void replace(struct live *l, struct live *made)
{
    struct live_fleet *f = l->fleet;
    live_drop_open(f->shared);
    for (enum tier t = 0; t < TIER_COUNT; t++) {
        slots_release(&l->tiers[t]);
        l->tiers[t] = made->tiers[t];
        made->tiers[t] = (struct slots){0};
    }
    slot_release(&l->lifetime);
    l->lifetime = made->lifetime;
    made->lifetime = (struct slot){0};
    memcpy(l->written_until, made->written_until, sizeof l->written_until);
    memcpy(l->oldest_stored, made->oldest_stored, sizeof l->oldest_stored);
    l->newest_6h = made->newest_6h;
    free(f->row);
    f->row = made->fleet->row;
    f->n_row = made->fleet->n_row;
    made->fleet->row = NULL;
    made->fleet->n_row = 0;
    f->changed = true;
}

static bool take_over(struct again *a, struct live *l, struct err *e)
{
    struct telemetry *t = a->fleet->telemetry;
    struct live *made = live_new(l->uid, true);
    bool ok = a->copy.n == 0 || recast_all(a, l, made, e);
    if (ok) {
        pthread_rwlock_wrlock(&t->history); /* a query reads memory and rows of one kind */
        ok = write_rows(a, l->uid, e);
        if (ok) {
            pthread_mutex_lock(&l->lock);
            replace(l, made);
            pthread_mutex_unlock(&l->lock);
        }
        pthread_rwlock_unlock(&t->history);
    }
    live_release(made, &t->rings);
    return ok;
}

/* --- all models --- */

struct make_mail {
    struct mail mail; /* first */
    struct again *again;
    struct latch done;
};

static void run_make(struct mail *m)
{
    struct make_mail *k = (struct make_mail *)(void *)m;
    for (size_t i = 0; i < k->again->copy.n_uids; i++)
        (void)count_model_of(k->again->fleet->telemetry, k->again->copy.uids[i]);
    latch_open(&k->done);
}

static bool stops(struct fleet *f)
{
    pthread_mutex_lock(&f->lock);
    const bool stopping = f->stopping;
    pthread_mutex_unlock(&f->lock);
    return stopping;
}

/* Those that the other has no rows of are empty: what they have comes from the streams. */
static bool take_over_all(struct again *a, const char *from, struct err *e)
{
    struct fleet *f = a->fleet;
    struct telemetry *t = f->telemetry;
    struct make_mail k = {.mail.run = run_make, .again = a};
    size_t n;
    if (!copying_list(&a->copy, from, e))
        return false;
    latch_init(&k.done);
    fleet_on_writer(f, &k.mail, &k.done);
    struct live **lives = models_all(&t->models, &n);
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        if (ok && stops(f))
            ok = fail(e, &ERR_IO, "this node is being stopped");
        ok = ok && copying_read(&a->copy, from, lives[i]->uid, e) && take_over(a, lives[i], e);
        live_release(lives[i], &t->rings);
    }
    free(lives);
    return ok;
}

static bool write_marks(struct again *a, struct err *e)
{
    struct fleet *f = a->fleet;
    struct series_append append = {0};
    arena_reset(a->copy.arena);
    append.marks = fleet_marks(f, a->copy.to, a->copy.arena, &append.n_marks);
    return store_append_wait(f->telemetry->config.store, &append, e);
}

/* Everything is replaced: count the streams from there. */
static bool go_on(struct again *a, size_t place, const char *from, struct err *e)
{
    struct fleet *f = a->fleet;
    struct telemetry *t = f->telemetry;
    forget_seconds(t);
    if (!write_marks(a, e) || !fleet_take(f, true, e))
        return false;
    fleet_forget_rows(f);
    const uint64_t own = a->before.list[f->place].whole;
    if (f->taken[f->place].whole < own) {
        f->taken[f->place].reaches = own;
        fleet_go_on(f, f->place);
    }
    log_event(LOG_INFO, "figures_adopted", "\"from\":\"%s\",\"place\":%zu,\"models\":%zu", from,
              place, a->copy.n_uids);
    f->gap_ns = 0;
    pthread_mutex_lock(&t->lock); /* rows with what came of the streams, and all of one kind */
    t->hurry = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    return true;
}

static void give_up(struct fleet *f)
{
    pthread_mutex_lock(&f->taking);
    for (size_t i = 0; i < f->n_taken; i++)
        if (f->taken[i].gap)
            fleet_go_on(f, i);
    pthread_mutex_unlock(&f->taking);
    f->gap_ns = 0;
}

/* [round] */
static bool adopt(struct fleet *f, int64_t now_ns, struct err *e)
{
    struct delta_ship here = {.tidy = true}; /* from now on what it lacks stays in the streams */
    struct again a = {.fleet = f};
    size_t place;
    bool whole = false;
    char from[STORE_SPACE_SIZE];
    copying_init(&a.copy, f);
    keep_taken(&a);
    bool ok = fleet_ask(f, &here, e) && fleet_find(f, &place, &whole, e), done = false;
    if (ok && whole) {
        place_space(place, from);
        f->half = true; /* until all are, nothing else will do */
        ok = take_over_all(&a, from, e) && go_on(&a, place, from, e);
        f->half = !ok;
        done = ok;
    }
    if (!done)
        back_to_taken(&a);
    if (ok && !done && !f->half && now_ns - f->gap_ns > NOBODY_HAS_NS)
        give_up(f);
    copying_release(&a.copy);
    free(a.before.list);
    return ok;
}

bool fleet_catch_up(struct fleet *f, struct err *e)
{
    const int64_t now_ns = clock_mono_ns(&CLOCK_SYSTEM);
    bool gap = false;
    for (size_t i = 0; i < f->n_taken; i++)
        gap |= f->taken[i].gap;
    if (!gap || (f->gap_ns && now_ns < f->again_ns && !f->half))
        return true;
    if (f->gap_ns == 0)
        f->gap_ns = now_ns;
    f->again_ns = now_ns + f->pause_ns;
    pthread_mutex_lock(&f->telemetry->round);
    const bool ok = adopt(f, now_ns, e);
    pthread_mutex_unlock(&f->telemetry->round);
    return ok;
}
