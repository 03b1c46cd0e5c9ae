/* What became of an attempt: written down, then the lane is given back, and only then does it go
 * on, so that what a crash repeats is one delivery of each lane. */
#include "feed/deliver_impl.h"

#include "base/log.h"

#include <stddef.h>
#include <stdlib.h>

static void sending_free(struct sending *s)
{
    s->d->busy--;
    bytes_release(&s->body);
    arena_free(s->read.arena);
    free(s);
}

/* Not now. */
void sending_put_off(struct sending *s, int64_t ms)
{
    struct deliveries *d = s->d;
    pthread_mutex_lock(&d->lock);
    lane_later(d->lanes, s->lane, deliver_now(d) + ms);
    pthread_mutex_unlock(&d->lock);
    sending_free(s);
}

/* The webhook is gone, and with it all that waits for it. */
void sending_webhook_gone(struct sending *s)
{
    struct deliveries *d = s->d;
    uint64_t uid = s->row.uid;
    pthread_mutex_lock(&d->lock);
    d->stats.dropped += s->lane->dead ? 0 : s->lane->target->pending;
    lanes_drop(d->lanes, uid);
    lane_later(d->lanes, s->lane, 0); /* it is dead: this ends it */
    pthread_mutex_unlock(&d->lock);
    deliver_trim(d, uid);
    sending_free(s);
}

/* --- the lane goes on --- */

/* [store] */
static bool take_more(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    struct sending *s = ctx;
    struct outbox_row row;
    (void)id;
    s->n_more++;
    if (!outbox_queued_read(s->read.arena, key, at, data, len, &row)) {
        log_text(LOG_ERROR, "webhook_delivery_damaged", key);
        return true;
    }
    pthread_mutex_lock(&s->d->lock);
    bool kept = lane_keep(s->lane, &row.delivery);
    pthread_mutex_unlock(&s->d->lock);
    return kept;
}

/* [store] */
static void more_was_read(struct series_read *r)
{
    struct sending *s = (struct sending *)(void *)((char *)r - offsetof(struct sending, more));
    deliver_answer(s->d, &r->mail);
}

static void more_read(struct mail *mail)
{
    struct sending *s = (struct sending *)(void *)((char *)mail - offsetof(struct sending, more));
    struct deliveries *d = s->d;
    d->asked--;
    if (!s->more.ok)
        log_text(LOG_ERROR, "webhook_queue_not_read", s->more.err.detail);
    pthread_mutex_lock(&d->lock);
    lane_read(d->lanes, s->lane, !s->more.ok || s->n_more == LANE_KEPT,
              deliver_now(d) + (s->more.ok ? 0 : DELIVER_RETRY_MS));
    pthread_mutex_unlock(&d->lock);
    sending_free(s);
}

void sending_read_more(struct sending *s)
{
    s->more = (struct series_read){
        .mail.run = more_read,
        .key = outbox_queue_key(s->read.arena, s->row.uid, s->row.subject),
        .from = (int64_t)s->lane->last_seq + 1,
        .limit = LANE_KEPT,
        .each = take_more,
        .ctx = s,
        .done = more_was_read,
    };
    s->d->asked++;
    s->d->config.store->ops->read(s->d->config.store, &s->more);
}

static void go_on(struct sending *s)
{
    struct deliveries *d = s->d;
    bool read = false;
    pthread_mutex_lock(&d->lock);
    if (s->report.status == DELIVERY_PENDING)
        lane_later(d->lanes, s->lane, s->due_ms);
    else
        read = lane_done(d->lanes, s->lane, deliver_now(d));
    pthread_mutex_unlock(&d->lock);
    if (read)
        sending_read_more(s);
    else
        sending_free(s);
}

/* --- what became of it --- */

static void written(struct mail *mail)
{
    struct sending *s = (struct sending *)(void *)((char *)mail - offsetof(struct sending, append));
    struct deliveries *d = s->d;
    d->asked--;
    if (s->append.ok || s->lane->dead) {
        go_on(s);
        return;
    }
    if (!s->again_ms)
        log_text(LOG_WARN, "webhook_delivery_not_noted", s->append.err.detail);
    s->again_ms = deliver_now(d) + DELIVER_RETRY_MS;
    s->next = d->unwritten;
    d->unwritten = s;
}

/* [store] */
static void was_written(struct series_append *a)
{
    struct sending *s = (struct sending *)(void *)((char *)a - offsetof(struct sending, append));
    deliver_answer(s->d, &a->mail);
}

static void write_down(struct sending *s)
{
    bool pending = s->report.status == DELIVERY_PENDING;
    s->append = (struct series_append){.duty = true,
                                       .mail.run = written,
                                       .records = s->records,
                                       .n = pending ? 2 : 1,
                                       .trims = &s->trim,
                                       .n_trims = pending ? 0 : 1,
                                       .done = was_written};
    s->d->asked++;
    s->d->config.store->ops->append(s->d->config.store, &s->append);
}

void deliver_write_again(struct deliveries *d)
{
    struct sending *list = d->unwritten;
    d->unwritten = NULL;
    for (struct sending *s = list, *next; s; s = next) {
        next = s->next;
        if (!d->held || atomic_load(&d->stopping)) {
            sending_put_off(s, 0);
        } else if (deliver_now(d) >= s->again_ms) {
            write_down(s);
        } else {
            s->next = d->unwritten;
            d->unwritten = s;
        }
    }
}

void sending_note(struct sending *s)
{
    struct arena *a = s->read.arena;
    bool pending = s->report.status == DELIVERY_PENDING;
    s->records[0] = outbox_logged(a, &s->row, s->entry, &s->report);
    if (pending)
        s->records[1] = outbox_queued(a, &s->row);
    else /* all before it in the lane is done with */
        s->trim = (struct series_trim){outbox_queue_key(a, s->row.uid, s->row.subject),
                                       (int64_t)s->row.delivery.seq + 1};
    write_down(s);
}

void sending_finish(struct sending *s, enum delivery_status status)
{
    struct deliver_stats *stats = &s->d->stats;
    s->report.status = status;
    s->report.finished_ms = clock_wall_ms(s->d->config.clock);
    pthread_mutex_lock(&s->d->lock);
    *(status == DELIVERY_DELIVERED ? &stats->delivered
      : status == DELIVERY_FAILED  ? &stats->failed
                                   : &stats->dropped) += 1;
    s->lane->target->failing -= s->lane->failures >= DELIVER_ALERT_AFTER;
    pthread_mutex_unlock(&s->d->lock);
    sending_note(s);
}
