#include "selection/outcomes.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "selection/outcomes_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WRITES_MAX       4096 /* that wait, and of one fdatasync */
#define SAVE_MS          60000
#define PROBE_MS         1000
#define WAITING_DEFAULT  400000              /* of some 260 bytes: 100 MB */
#define UNTOLD_MAX       ((size_t)256 << 20) /* bytes that wait to be told to other nodes */
#define WINDOW_DEFAULT   3600000
#define REMEMBER_DEFAULT 2000000
#define LOG_DEFAULT      ((size_t)1 << 30)
#define SEGMENT_DEFAULT  ((size_t)16 << 20)

/* ---- one outcome ---- */

uint64_t outcome_hash(const struct outcome *o)
{
    const uint64_t of[2] = {hash64(o->decision_id, sizeof o->decision_id - 1, 0), o->model_uid};
    return hash64(o->name, strlen(o->name), hash64(of, sizeof of, 0));
}

/* It is in the log: count it, tell it. `replay`: only who does not have it yet. */
void outcomes_take_in(struct outcomes *o, uint64_t position, const struct outcome *out,
                      int64_t now_ms, const uint64_t *after)
{
    if (!after || position > after[OUTCOME_FOLLOWERS_MAX]) {
        pthread_mutex_lock(&o->lock);
        outcome_counts_add(&o->counts, out, now_ms);
        pthread_mutex_unlock(&o->lock);
    }
    for (size_t i = 0; i < o->config.follower_count; i++) {
        const struct outcome_follower *f = &o->config.followers[i];
        if (!after || position > after[i])
            f->outcome(f->self, position, out);
    }
}

/* ---- from the log ---- */

struct replay {
    struct outcomes *o;
    uint64_t after[OUTCOME_FOLLOWERS_MAX + 1]; /* the last: of the counters */
    int64_t now_ms;
    uint64_t keep_after; /* position; what is told already is told again if the store has lost it */
};

static void mark(struct outcomes *o, uint64_t position, int64_t at_ms)
{
    struct mark *last = o->mark_count ? &o->marks[o->mark_count - 1] : NULL;
    if (last && at_ms - last->at_ms < SAVE_MS)
        return;
    if (o->mark_count == OUTCOME_MARKS)
        memmove(o->marks, o->marks + 1, --o->mark_count * sizeof *o->marks);
    o->marks[o->mark_count++] = (struct mark){position, at_ms};
}

static void replay_outcome(void *ctx, uint64_t position, int64_t received_ms,
                           const struct outcome *out)
{
    struct replay *r = ctx;
    if (received_ms >= r->now_ms - 2 * r->o->config.window_ms)
        outcome_window_add(&r->o->window, outcome_hash(out), received_ms);
    if (!r->o->shared) /* else it comes from the stream of all */
        outcomes_take_in(r->o, position, out, received_ms, r->after);
}

static bool replay_block(void *ctx, const struct block_read *b, struct err *e)
{
    struct replay *r = ctx;
    int64_t received_ms;
    if (!outcome_block_read(b, &received_ms, replay_outcome, r, e))
        return false;
    mark(r->o, b->position, received_ms);
    r->o->counted = b->position;
    if (r->o->shared && b->position > r->keep_after)
        outcomes_hold(r->o, b->position, b->payload, b->payload_len);
    return true;
}

/* ---- writing ---- */

struct group {
    struct outcomes_write *writes[WRITES_MAX];
    struct block_write blocks[WRITES_MAX];
    struct bytes payloads[WRITES_MAX];
    uint8_t *fresh[WRITES_MAX]; /* of each outcome: is it in the payload? */
    size_t n;
};

/* What other nodes have accepted goes into the window as well. */
static void lock_window(struct outcomes *o)
{
    if (o->shared)
        pthread_mutex_lock(&o->shared->lock);
}

static void unlock_window(struct outcomes *o)
{
    if (o->shared)
        pthread_mutex_unlock(&o->shared->lock);
}

/* Of those that were not known the payload is made. */
static void sift(struct outcomes *o, struct group *g, struct outcomes_write *w, int64_t now_ms)
{
    lock_window(o);
    struct bytes *b = &g->payloads[g->n];
    uint8_t *fresh = mem_zero(w->n, 1);
    outcome_block_begin(b, w->n, now_ms);
    w->accepted = w->duplicate = w->late = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct outcome *out = &w->list[i];
        if (outcome_window_late(&o->window, out->decision.at_ms, now_ms)) {
            w->late++;
        } else if (!outcome_window_add(&o->window, outcome_hash(out), now_ms)) {
            w->duplicate++;
        } else {
            w->accepted++;
            fresh[i] = 1;
            outcome_block_add(b, out);
        }
    }
    unlock_window(o);
    outcome_block_end(b, w->accepted);
    g->fresh[g->n] = fresh;
    g->writes[g->n++] = w;
}

static void set_available(struct outcomes *o, bool available, const char *why)
{
    pthread_mutex_lock(&o->lock);
    bool changed = o->stats.available != available;
    o->stats.available = available;
    pthread_mutex_unlock(&o->lock);
    if (changed && available)
        log_event(LOG_INFO, "outcomes_writable", NULL);
    else if (changed)
        log_text(LOG_ERROR, "outcomes_write_failed", why);
}

static void written(struct outcomes *o, struct group *g, size_t at, int64_t now_ms)
{
    struct outcomes_write *w = g->writes[at];
    for (size_t i = 0; i < w->n && !o->shared; i++)
        if (g->fresh[at][i])
            outcomes_take_in(o, g->blocks[at].position, &w->list[i], now_ms, NULL);
    if (w->accepted && o->shared)
        outcomes_hold(o, g->blocks[at].position, g->payloads[at].data, g->payloads[at].len);
    if (w->accepted) {
        o->counted = g->blocks[at].position;
        mark(o, o->counted, now_ms);
    }
    pthread_mutex_lock(&o->lock);
    o->stats.accepted += o->shared ? 0 : w->accepted; /* shared: once it is in the stream */
    o->stats.duplicate += w->duplicate;
    o->stats.late += w->late;
    pthread_mutex_unlock(&o->lock);
}

static void not_written(struct outcomes *o, struct group *g, size_t at)
{
    const struct outcomes_write *w = g->writes[at];
    lock_window(o);
    for (size_t i = 0; i < w->n; i++)
        if (g->fresh[at][i])
            outcome_window_remove(&o->window, outcome_hash(&w->list[i]));
    unlock_window(o);
}

/* Those with something to write come first in `blocks`, in their order. */
static void flush_group(struct outcomes *o, struct group *g, int64_t now_ms)
{
    struct block_write blocks[WRITES_MAX];
    struct err e = {0};
    size_t n = 0, durable = 0, k = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->writes[i]->accepted)
            blocks[n++] = (struct block_write){
                .payload = g->payloads[i].data,
                .payload_len = (uint32_t)g->payloads[i].len,
                .payload_checksum = checksum32(g->payloads[i].data, g->payloads[i].len)};
    if (n > 0)
        set_available(o, segment_log_append(o->log, blocks, n, &durable, &e), e.detail);
    atomic_store(&o->log_bytes, segment_log_bytes(o->log));
    for (size_t i = 0; i < g->n; i++) {
        struct outcomes_write *w = g->writes[i];
        bool writes = w->accepted > 0;
        w->ok = !writes || k < durable;
        if (writes)
            g->blocks[i] = blocks[k++];
        if (w->ok) {
            written(o, g, i, now_ms);
        } else {
            not_written(o, g, i);
            w->err = e;
        }
        free(g->fresh[i]);
        bytes_release(&g->payloads[i]);
        atomic_fetch_sub(&o->waiting, w->n);
        w->done(w);
    }
    g->n = 0;
}

/* ---- putting away ---- */

/* The last position that nobody needs any more. */
static uint64_t done_with(const struct outcomes *o, int64_t now_ms)
{
    uint64_t position = 0;
    for (size_t i = 0; i + 1 < o->mark_count; i++)
        if (o->marks[i + 1].at_ms < now_ms - 2 * o->config.window_ms)
            position = o->marks[i].position;
    const uint64_t saved = o->shared ? atomic_load(&o->shared->told) : o->saved;
    position = saved < position ? saved : position;
    for (size_t i = 0; i < o->config.follower_count && !o->shared; i++) {
        const struct outcome_follower *f = &o->config.followers[i];
        uint64_t has = f->saved ? f->saved(f->self) : UINT64_MAX;
        position = has < position ? has : position;
    }
    return position;
}

static void put_away(struct outcomes *o, int64_t now_ms)
{
    struct err e = {0};
    bool ok = true;
    if (o->saved < o->counted && !o->shared) {
        pthread_mutex_lock(&o->lock);
        ok = outcome_counts_save(&o->counts, o->counts_file, o->counted, now_ms - OUTCOMES_IDLE_MS,
                                 &e);
        pthread_mutex_unlock(&o->lock);
        ok = ok && FILES_SYSTEM.sync_dir(FILES_SYSTEM.self, o->dir) == 0;
        if (ok)
            o->saved = o->counted;
        else
            log_text(LOG_WARN, "outcome_counts_not_saved", e.detail);
    }
    o->saved_ms = now_ms;
    segment_log_release(o->log, done_with(o, now_ms));
    atomic_store(&o->log_bytes, segment_log_bytes(o->log));
}

static void *writer_main(void *ctx)
{
    struct outcomes *o = ctx;
    struct group *g = mem_zero(1, sizeof *g);
    while (!mailbox_closed(o->mailbox) || mailbox_count(o->mailbox)) {
        struct mail *mail = mailbox_wait(o->mailbox, PROBE_MS);
        int64_t now = clock_wall_ms(o->config.clock);
        struct err e = {0};
        if (!mail && !o->stats.available) /* this thread alone writes it */
            set_available(o, segment_log_probe(o->log, &e), e.detail);
        while (mail) {
            struct mail *next = mail->next;
            sift(o, g, (struct outcomes_write *)(void *)mail, now);
            if (g->n == WRITES_MAX)
                flush_group(o, g, now);
            mail = next;
        }
        if (g->n)
            flush_group(o, g, now);
        if (now - o->saved_ms >= SAVE_MS)
            put_away(o, now);
    }
    put_away(o, clock_wall_ms(o->config.clock));
    free(g);
    return NULL;
}

/* ---- opening ---- */

static void free_all(struct outcomes *o)
{
    mailbox_free(o->mailbox);
    segment_log_close(o->log);
    outcome_window_release(&o->window);
    outcome_counts_release(&o->counts);
    outcomes_shared_free(o->shared);
    pthread_mutex_destroy(&o->lock);
    free(o->dir);
    free(o->counts_file);
    free(o);
}

static struct outcomes *prepare(const struct outcomes_config *config)
{
    struct outcomes *o = mem_zero(1, sizeof *o);
    struct outcomes_config *c = &o->config;
    size_t len = strlen(config->dir) + sizeof "/outcomes/counters";
    *c = *config;
    c->window_ms = c->window_ms ? c->window_ms : WINDOW_DEFAULT;
    c->window_max = c->window_max ? c->window_max : REMEMBER_DEFAULT;
    c->log_max_bytes = c->log_max_bytes ? c->log_max_bytes : LOG_DEFAULT;
    c->segment_bytes = c->segment_bytes ? c->segment_bytes : SEGMENT_DEFAULT;
    c->waiting_max = c->waiting_max ? c->waiting_max : WAITING_DEFAULT;
    o->dir = mem_alloc(len);
    o->counts_file = mem_alloc(len);
    snprintf(o->dir, len, "%s/outcomes", c->dir);
    snprintf(o->counts_file, len, "%s/outcomes/counters", c->dir);
    pthread_mutex_init(&o->lock, NULL);
    outcome_counts_init(&o->counts);
    o->stats.available = true;
    return o;
}

/* Damaged counters are no reason to be down: they are counted anew from what the log still has. */
static void load_counts(struct outcomes *o, uint64_t *position)
{
    struct err e = {0};
    if (outcome_counts_load(&o->counts, o->counts_file, position, &e))
        return;
    log_text(LOG_ERROR, "outcome_counts_lost", e.detail);
    outcome_counts_release(&o->counts);
    outcome_counts_init(&o->counts);
    *position = 0;
}

/* Where the counters and the followers are; what comes after that is read from the log. */
static uint64_t find_begin(struct outcomes *o, struct replay *r)
{
    uint64_t *counters = &r->after[OUTCOME_FOLLOWERS_MAX], needed;
    load_counts(o, counters);
    needed = *counters;
    for (size_t i = 0; i < o->config.follower_count; i++) {
        const struct outcome_follower *f = &o->config.followers[i];
        r->after[i] = f->saved ? f->saved(f->self) : UINT64_MAX;
        needed = r->after[i] < needed ? r->after[i] : needed;
    }
    return needed;
}

/* Where nodes share the store: what of the log they all have. */
static bool find_told(struct outcomes *o, struct replay *r, uint64_t *told, struct err *e)
{
    if (!outcomes_share(o, e))
        return false;
    *told = atomic_load(&o->shared->told);
    r->keep_after = o->shared->counters_until;
    return true;
}

static bool restore(struct outcomes *o, struct err *e)
{
    const struct segment_log_config log = {o->dir, &FILES_SYSTEM, o->config.segment_bytes,
                                           o->config.accept_damage};
    struct replay r = {.o = o, .now_ms = clock_wall_ms(o->config.clock)};
    uint64_t needed, has;
    if (o->config.facts) {
        if (!find_told(o, &r, &needed, e))
            return false;
        has = o->shared->reached > r.keep_after ? o->shared->reached : r.keep_after;
    } else {
        needed = find_begin(o, &r);
        has = r.after[OUTCOME_FOLLOWERS_MAX];
    }
    o->saved = o->counted = has;
    outcome_window_init(&o->window, o->config.window_ms, o->config.window_max,
                        r.now_ms - 2 * o->config.window_ms);
    const struct log_reader reader = {replay_block, &r, needed};
    o->log = segment_log_open(&log, e);
    if (!o->log || !segment_log_read(o->log, &reader, e))
        return false;
    segment_log_continue_after(o->log, has);
    if (o->counted < has)
        o->counted = has;
    o->saved_ms = r.now_ms;
    atomic_store(&o->log_bytes, segment_log_bytes(o->log));
    return true;
}

struct outcomes *outcomes_open(const struct outcomes_config *config, struct err *e)
{
    struct outcomes *o = prepare(config);
    if (mkdir(config->dir, 0750) != 0 && errno != EEXIST)
        fail_errno(e, &ERR_IO, "cannot make the directory '%s'", config->dir);
    else if ((o->mailbox = mailbox_new(WRITES_MAX, e)) && restore(o, e)) {
        if (thread_start(&o->writer, "outcomes", THREAD_SOON, writer_main, o, e))
            return o;
    }
    free_all(o);
    return NULL;
}

void outcomes_close(struct outcomes *o)
{
    if (!o)
        return;
    mailbox_close(o->mailbox);
    pthread_join(o->writer, NULL);
    free_all(o);
}

/* ---- for others ---- */

bool outcomes_append(struct outcomes *o, struct outcomes_write *w, struct err *e)
{
    w->mail.run = NULL;
    if (w->n == 0 || w->n > OUTCOMES_WRITE_MAX)
        return fail(e, &ERR_INTERNAL, "a write of %zu outcomes", w->n);
    if (atomic_load(&o->log_bytes) + w->n * OUTCOME_BLOCK_ROW > o->config.log_max_bytes)
        return fail(e, &ERR_BUSY, "the log of outcomes has reached its limit; try again");
    if (o->shared && atomic_load(&o->shared->untold_bytes) > UNTOLD_MAX)
        return fail(e, &ERR_BUSY, "too many outcomes are waiting for Redis; try again");
    const size_t waiting = atomic_fetch_add(&o->waiting, w->n);
    if ((waiting == 0 || waiting + w->n <= o->config.waiting_max) &&
        mailbox_post(o->mailbox, &w->mail))
        return true;
    atomic_fetch_sub(&o->waiting, w->n);
    return fail(e, &ERR_BUSY, "too many outcomes are waiting for the disk; try again");
}

void outcomes_refused(struct outcomes *o, uint64_t unknown, uint64_t forged, uint64_t mismatched)
{
    if (unknown + forged + mismatched == 0)
        return;
    pthread_mutex_lock(&o->lock);
    o->stats.unknown += unknown;
    o->stats.forged += forged;
    o->stats.mismatched += mismatched;
    pthread_mutex_unlock(&o->lock);
}

void outcomes_each(struct outcomes *o, uint64_t route_uid,
                   void (*fn)(void *ctx, const struct outcome_count *c), void *ctx)
{
    pthread_mutex_lock(&o->lock);
    outcome_counts_each(&o->counts, route_uid, fn, ctx);
    pthread_mutex_unlock(&o->lock);
}

void outcomes_stats(struct outcomes *o, struct outcomes_stats *out)
{
    pthread_mutex_lock(&o->lock);
    *out = o->stats;
    out->counters = map_count(o->counts.map);
    pthread_mutex_unlock(&o->lock);
    out->untold_bytes = o->shared ? atomic_load(&o->shared->untold_bytes) : 0;
    out->log_bytes = segment_log_bytes(o->log);
    out->position = segment_log_last(o->log);
}
