#include "feed/deliver_impl.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

#define ROW_ARENA 16384

/* Two reads, one after the other. */
struct load {
    struct series_read read; /* first */
    struct deliveries *d;
    struct arena *arena;
    bool found;
    uint64_t cursor;
    int64_t due_ms;
};

static void load_end(struct load *l)
{
    l->d->loading = false;
    arena_free(l->arena);
    free(l);
}

static void load_failed(struct load *l)
{
    log_text(LOG_ERROR, "webhooks_not_loaded", l->read.err.detail);
    l->d->load_ms = deliver_now(l->d) + DELIVER_RETRY_MS;
    load_end(l);
}

/* [store] */
static void was_read(struct series_read *r)
{
    deliver_answer(((struct load *)(void *)r)->d, &r->mail);
}

/* [store] */
static bool take_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct load *l = ctx;
    struct outbox_row row;
    (void)id;
    arena_reset(l->arena);
    if (!outbox_queued_read(l->arena, key, at, data, len, &row)) {
        log_text(LOG_ERROR, "webhook_delivery_damaged", key);
        return true;
    }
    pthread_mutex_lock(&l->d->lock);
    lanes_add(l->d->lanes, row.uid, row.ns, row.id, row.subject, &row.delivery, l->due_ms);
    pthread_mutex_unlock(&l->d->lock);
    return true;
}

static void queues_read(struct mail *mail)
{
    struct load *l = (struct load *)(void *)mail;
    l->d->asked--;
    if (!l->read.ok) {
        load_failed(l);
        return;
    }
    l->d->loaded = true;
    l->d->since_ms = clock_wall_ms(l->d->config.clock);
    load_end(l);
}

/* [store] */
static bool take_cursor(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                        size_t len)
{
    struct load *l = ctx;
    (void)key, (void)at, (void)id;
    l->found = outbox_cursor_read(data, len, &l->cursor);
    return false;
}

/* Without a cursor nothing was ever looked at: everything has to be, unless there is no webhook
 * either. */
static uint64_t first_cursor(struct deliveries *d)
{
    const struct view *v = view_enter(d->reader);
    uint64_t seq = view_count(v, ENTITY_WEBHOOK) ? 0 : view_seq(v);
    view_leave(d->reader);
    return seq;
}

static void cursor_read(struct mail *mail)
{
    struct load *l = (struct load *)(void *)mail;
    struct deliveries *d = l->d;
    d->asked--;
    if (!l->read.ok) {
        load_failed(l);
        return;
    }
    pthread_mutex_lock(&d->lock);
    lanes_free(d->lanes);
    d->lanes = lanes_new();
    d->cursor = l->found ? l->cursor : first_cursor(d);
    pthread_mutex_unlock(&d->lock);
    l->due_ms = deliver_now(d);
    l->read = (struct series_read){.mail.run = queues_read,
                                   .key = outbox_queue_key(l->arena, 0, NULL),
                                   .each = take_row,
                                   .ctx = l,
                                   .done = was_read};
    d->asked++;
    d->config.store->ops->read(d->config.store, &l->read);
}

void deliver_load(struct deliveries *d)
{
    if (d->loading || d->busy || d->scanning || deliver_now(d) < d->load_ms)
        return;
    struct load *l = mem_zero(1, sizeof *l);
    l->d = d;
    l->arena = arena_new(ROW_ARENA);
    l->read = (struct series_read){.mail.run = cursor_read,
                                   .key = OUTBOX_CURSOR,
                                   .each = take_cursor,
                                   .ctx = l,
                                   .done = was_read};
    d->loading = true;
    d->asked++;
    d->config.store->ops->read(d->config.store, &l->read);
}

/* --- trimming --- */

struct trimming {
    struct series_append append; /* first */
    struct deliveries *d;
    struct arena *arena;
    struct series_trim trims[2];
};

static void trimmed(struct mail *mail)
{
    struct trimming *t = (struct trimming *)(void *)mail;
    t->d->asked--;
    if (!t->append.ok)
        log_text(LOG_WARN, "webhook_log_not_trimmed", t->append.err.detail);
    arena_free(t->arena);
    free(t);
}

/* [store] */
static void was_written(struct series_append *a)
{
    deliver_answer(((struct trimming *)(void *)a)->d, &a->mail);
}

void deliver_trim(struct deliveries *d, uint64_t uid)
{
    struct trimming *t = mem_zero(1, sizeof *t);
    t->d = d;
    t->arena = arena_new(ROW_ARENA);
    int64_t old = clock_wall_ms(d->config.clock) - OUTBOX_KEEP_MS;
    t->trims[0] = (struct series_trim){outbox_log_key(t->arena, uid), uid ? INT64_MAX : old};
    if (uid)
        t->trims[1] = (struct series_trim){outbox_queue_key(t->arena, uid, NULL), INT64_MAX};
    t->append = (struct series_append){.duty = true,
                                       .mail.run = trimmed,
                                       .trims = t->trims,
                                       .n_trims = uid ? 2 : 1,
                                       .done = was_written};
    d->asked++;
    d->config.store->ops->append(d->config.store, &t->append);
}
