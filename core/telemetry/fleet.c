/* Figures of the whole fleet on each node, in one page.
 *
 * Each node's records lie in its own log and nowhere else. What travels is what they add up to.
 * Every 0.2 s or so the log writer cuts off what it has counted since the last time: a swap of
 * pointers for each model that had records, between two blocks, so the cut is exact at a position
 * of the log. The fleet's thread encodes it (delta.h) and adds it to this node's stream in Redis,
 * under that position. The script adds it only to a stream that reaches the position where the cut
 * before ended, so an entry that was sent again, after an answer that was lost or a start, is not
 * added again. Only when it is there, and on replicas where there are any, does the node count it
 * in its own windows, as it does with what the other streams bring. So windows are made of deltas
 * and of nothing else, and those of all nodes are sums of the same deltas. Queries add what is not
 * yet cut off and what is on its way.
 *
 * While Redis is away there is one cut on its way and the rest goes on being counted; when it is
 * back the first is sent (or found to be there), then all the rest as one. What must not be lost is
 * in the log: it is kept up to the position that the stream has reached and a roll-up has passed.
 *
 * A node writes rows of its windows (rollup.h) in its own place, as one that is alone does. The row
 * of a model says how far each stream is in it. A start loads the rows, reads every stream from
 * where all rows have it, counts of each what the model's row has not, and replays its log from
 * where its own stream ends. It does not matter when a process dies.
 *
 * What Redis loses all the same comes again as it was: fleet_told.c.
 *
 * What the rows of all nodes have leaves the streams. A node that has been away for more than ten
 * minutes is not waited for; it finds a gap, and takes the rows of another node: when it is started
 * (fleet_start.c), or while it runs (fleet_again.c). */
#include "telemetry/fleet.h"

#include "base/cond.h"
#include "base/grow.h"
#include "base/latch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVERY_MS     200 /* between rounds, and twice what a round took, up to ... */
#define EVERY_MAX_MS 400
#define MS           1000000LL
#define TOLD_MAX     ((size_t)16 << 20)   /* bytes of what was told, to be told again */
#define TRY_AGAIN_NS INT64_C(10000000000) /* until another node has what this one lacks */

struct fleet *fleet_new(struct telemetry *t)
{
    struct fleet *f = mem_zero(1, sizeof *f);
    f->telemetry = t;
    f->place = store_place(t->config.store);
    f->well = true;
    f->told_max = TOLD_MAX;
    f->note = -1;
    f->pause_ns = TRY_AGAIN_NS;
    workshop_init(&f->workshop);
    delta_init(&f->delta);
    bytes_init(&f->came, (size_t)64 << 20);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->taking, NULL);
    cond_init(&f->wake);
    return f;
}

static void release_all(struct fleet *f, struct live **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        live_release(list[i], &f->telemetry->rings);
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    release_all(f, f->listed, f->n_listed);
    release_all(f, f->cut, f->n_cut);
    fleet_told_drop(f);
    if (f->note >= 0)
        close(f->note);
    free(f->listed);
    free(f->cut);
    free(f->taken);
    free(f->parts);
    free(f->reaches);
    bytes_release(&f->came);
    delta_release(&f->delta);
    workshop_release(&f->workshop);
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->taking);
    pthread_cond_destroy(&f->wake);
    free(f);
}

/* --- cutting off --- */

void fleet_list(struct fleet *f, struct live *l)
{
    if (l->fleet->listed)
        return;
    l->fleet->listed = true;
    live_retain(l);
    GROW(f->listed, f->n_listed, f->listed_cap);
    f->listed[f->n_listed++] = l;
}

/* [writer], between two blocks. The list changes hands. */
static void cut(struct fleet *f)
{
    struct live **list = f->listed;
    const size_t n = f->n_listed, cap = f->listed_cap;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&list[i]->lock);
        live_cut(list[i]);
        pthread_mutex_unlock(&list[i]->lock);
        list[i]->fleet->listed = false;
    }
    f->listed = f->cut;
    f->listed_cap = f->cut_cap;
    f->n_listed = 0;
    f->cut = list;
    f->n_cut = n;
    f->cut_cap = cap;
    f->until = atomic_load(&f->telemetry->counted);
}

struct cut_mail {
    struct mail mail; /* first */
    struct fleet *fleet;
    struct latch done;
};

static void run_cut(struct mail *m)
{
    struct cut_mail *c = (struct cut_mail *)(void *)m;
    cut(c->fleet);
    latch_open(&c->done);
}

void fleet_on_writer(struct fleet *f, struct mail *m, struct latch *done)
{
    if (!f->telemetry->writer_runs) {
        m->run(m);
        return;
    }
    mailbox_post_answer(f->telemetry->mailbox, m);
    latch_wait(done);
}

static void encode(struct fleet *f, uint64_t from)
{
    struct err e;
    delta_clear(&f->delta);
    for (size_t i = 0; i < f->n_cut; i++) {
        struct live *l = f->cut[i];
        pthread_mutex_lock(&l->lock); /* of the dictionary */
        if (!l->forgotten && !delta_add(&f->delta, l, &e))
            log_text(LOG_ERROR, "delta_not_made", e.detail);
        pthread_mutex_unlock(&l->lock);
    }
    delta_end(&f->delta, from, f->until);
}

/* --- telling --- */

uint64_t fleet_held_shipped(const struct fleet *f)
{
    return f->place < f->n_taken ? f->taken[f->place].whole : 0;
}

uint64_t fleet_shipped(struct fleet *f)
{
    pthread_mutex_lock(&f->taking);
    uint64_t shipped = fleet_held_shipped(f);
    pthread_mutex_unlock(&f->taking);
    return shipped;
}

bool fleet_ask(struct fleet *f, struct delta_ship *d, struct err *e)
{
    return store_ship_wait(f->telemetry->config.store, d, e);
}

/* The stream has lost what it had. */
static bool make_good(struct fleet *f, struct delta_ship *d, struct err *e)
{
    uint64_t reaches = d->reaches;
    if (!fleet_told_again(f, &reaches, e))
        return false;
    if (reaches != d->from) {
        /* Nodes that had taken what is lost have it still; to the others it does not come, and they
         * go on with this one. */
        log_event(LOG_ERROR, "deltas_lost", "\"place\":%zu,\"from\":%" PRIu64 ",\"to\":%" PRIu64,
                  f->place, reaches, d->from);
        atomic_fetch_add(&f->missed, 1);
        d->from = reaches;
        delta_end(&f->delta, d->from, f->until);
    }
    return fleet_ask(f, d, e);
}

static bool send_parts(struct fleet *f, uint64_t from, struct err *e)
{
    const size_t n = f->delta.n;
    const void **parts = mem_alloc(n * sizeof *parts);
    size_t *lens = mem_alloc(n * sizeof *lens), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        parts[i] = f->delta.parts[i].data;
        lens[i] = f->delta.parts[i].len;
        bytes += lens[i];
    }
    struct delta_ship d = {.from = from, .until = f->until, .parts = parts, .lens = lens, .n = n};
    bool ok = fleet_ask(f, &d, e);
    if (ok && d.reaches < from)
        ok = make_good(f, &d, e);
    if (ok && d.reaches != f->until)
        ok = fail(e, &ERR_IO,
                  "the figures of this node reach %" PRIu64 " in Redis, not %" PRIu64
                  ": another start has gone on with them",
                  d.reaches, from);
    if (ok) {
        fleet_told_keep(f, &d);
        atomic_fetch_add(&f->shipped_bytes, bytes);
        atomic_fetch_add(&f->shipped_entries, 1);
    }
    free(parts);
    free(lens);
    return ok;
}

struct taken *fleet_taken(struct fleet *f, size_t place)
{
    if (place >= f->n_taken) {
        f->taken = mem_resize(f->taken, place + 1, sizeof *f->taken);
        memset(f->taken + f->n_taken, 0, (place + 1 - f->n_taken) * sizeof *f->taken);
        f->n_taken = place + 1;
    }
    return &f->taken[place];
}

/* It is in the stream: now it counts here, too. */
static void join(struct fleet *f)
{
    struct counting c = counting_now(f->telemetry, &f->workshop);
    pthread_mutex_lock(&f->taking);
    for (size_t i = 0; i < f->n_cut; i++) {
        pthread_mutex_lock(&f->cut[i]->lock);
        live_join(f->cut[i], &c);
        pthread_mutex_unlock(&f->cut[i]->lock);
    }
    *fleet_taken(f, f->place) = (struct taken){{f->until, UINT64_MAX}, f->until, f->until, false};
    pthread_mutex_unlock(&f->taking);
    release_all(f, f->cut, f->n_cut);
    f->n_cut = 0;
    f->under_way = false;
}

bool fleet_ship(struct fleet *f, struct err *e)
{
    const uint64_t from = fleet_shipped(f);
    if (!f->under_way) {
        struct cut_mail c = {.mail.run = run_cut, .fleet = f};
        if (atomic_load(&f->telemetry->counted) <= from)
            return true;
        latch_init(&c.done);
        fleet_on_writer(f, &c.mail, &c.done);
        f->under_way = true;
        encode(f, from);
    }
    if (!fleet_note(f, e) || !send_parts(f, from, e))
        return false;
    join(f);
    return true;
}

void fleet_replay(struct fleet *f, uint64_t next)
{
    const uint64_t from = fleet_shipped(f);
    if (f->under_way || f->noted <= from || next <= f->noted ||
        atomic_load(&f->telemetry->counted) <= from)
        return;
    cut(f);
    f->under_way = true;
    encode(f, from);
}

/* --- roll-ups --- */

void fleet_hold(struct fleet *f)
{
    pthread_mutex_lock(&f->taking);
}

void fleet_let_go(struct fleet *f)
{
    pthread_mutex_unlock(&f->taking);
}

struct series_mark *fleet_marks(struct fleet *f, const char *space, struct arena *a, size_t *n)
{
    pthread_mutex_lock(&f->taking);
    *n = f->n_taken;
    struct series_mark *marks = arena_zero(a, (f->n_taken + 1) * sizeof *marks);
    for (size_t i = 0; i < f->n_taken; i++) {
        char name[DELTA_MARK_SIZE];
        delta_mark_name(space, i, name);
        marks[i] = (struct series_mark){arena_text(a, name), (int64_t)f->taken[i].whole};
    }
    pthread_mutex_unlock(&f->taking);
    return marks;
}

void fleet_tidy(struct fleet *f)
{
    struct err e = {0};
    struct delta_ship d = {.tidy = true};
    if (!fleet_ask(f, &d, &e))
        log_text(LOG_WARN, "deltas_not_tidied", e.detail);
}

/* --- the thread --- */

bool fleet_round(struct fleet *f, struct err *e)
{
    bool ok = fleet_ship(f, e);
    return fleet_take(f, false, e) && ok && fleet_catch_up(f, e);
}

static void *fleet_main(void *arg)
{
    struct fleet *f = arg;
    int64_t rest = EVERY_MS;
    while (cond_rest(&f->wake, &f->lock, &f->stopping, rest)) {
        struct err e = {0};
        const int64_t begun = clock_mono_ns(&CLOCK_SYSTEM);
        const bool well = fleet_round(f, &e);
        if (well != f->well)
            log_text(well ? LOG_INFO : LOG_WARN, well ? "fleet_figures" : "fleet_figures_away",
                     well ? "figures of other nodes come and go" : e.detail);
        f->well = well;
        rest = 2 * (clock_mono_ns(&CLOCK_SYSTEM) - begun) / MS;
        rest = rest < EVERY_MS ? EVERY_MS : rest > EVERY_MAX_MS ? EVERY_MAX_MS : rest;
    }
    return NULL;
}

bool fleet_start(struct fleet *f, struct err *e)
{
    f->runs = thread_start(&f->thread, "fleet", THREAD_LATER, fleet_main, f, e);
    return f->runs;
}

void fleet_stop(struct fleet *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    if (f->runs)
        pthread_join(f->thread, NULL);
    f->runs = false;
}
