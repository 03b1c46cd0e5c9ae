/* From the lanes to the receivers. A lane under way has one `struct sending`: it reads the entry
 * and posts it; deliver_sent.c writes down what became of it and gives the lane back. */
#include "feed/deliver_impl.h"

#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define BUSY_MAX    64          /* lanes under way: bodies in memory */
#define ARENA_MAX   (24u << 20) /* an entry and what goes with it */
#define FIRST_MS    1000        /* the first pause; each is twice the one before */
#define LONGEST_MS  300000
#define DISABLED_MS 10000 /* how often a disabled webhook is looked at */

const struct webhook *deliver_webhook(const struct view *v, const char *ns, const char *id,
                                      uint64_t uid)
{
    const struct document *d = view_document(v, &WEBHOOK_TYPE, ns, id);
    return d && d->entity.uid == uid ? webhook_of(d) : NULL;
}

static bool too_old(const struct sending *s)
{
    const struct delivery *w = &s->row.delivery;
    return clock_wall_ms(s->d->config.clock) - w->created_ms - w->late_ms >= DELIVER_FOR_MS;
}

/* Half of it is chance, so that what failed together does not come again together. */
static int64_t pause_ms(unsigned failures)
{
    uint32_t chance;
    random_bytes(&chance, sizeof chance);
    int64_t whole = failures < 10 ? (int64_t)FIRST_MS << (failures - 1) : LONGEST_MS;
    whole = whole < LONGEST_MS ? whole : LONGEST_MS;
    return whole / 2 + chance % (whole / 2);
}

static void try_again(struct sending *s, unsigned retry_after_s)
{
    struct deliveries *d = s->d;
    int64_t ms = pause_ms(s->lane->failures), told = (int64_t)retry_after_s * 1000;
    told = told < 3600000 ? told : 3600000;
    ms = ms > told ? ms : told;
    s->report.status = DELIVERY_PENDING;
    s->report.next_attempt_ms = clock_wall_ms(d->config.clock) + ms;
    s->due_ms = deliver_now(d) + ms;
    sending_note(s);
}

/* --- attempts --- */

/* Under the lock. True: the delivery keeps failing, and somebody should know (again). */
static bool count_attempt(struct lane *lane, bool good)
{
    lane->list[0].attempts++;
    lane->failures += !good;
    lane->target->failures = good ? 0 : lane->target->failures + 1;
    lane->target->failing += !good && lane->failures == DELIVER_ALERT_AFTER;
    return !good && lane->failures % DELIVER_ALERT_AFTER == 0;
}

/* Under the lock: does no other lane of the webhook keep failing? */
static bool is_alone(const struct lane *lane)
{
    return lane->target->failing == (lane->failures >= DELIVER_ALERT_AFTER);
}

/* Whoever looks after the webhook should know. */
static void alert(struct sending *s, bool failing, bool gone, bool well)
{
    const char *ns = s->row.ns, *id = s->row.id;
    if (gone)
        deliver_alert_raise(s->d, ns, id, "is disabled: its receiver answered 410 Gone");
    else if (failing)
        deliver_alert_raise(s->d, ns, id,
                            arena_printf(s->read.arena,
                                         "keeps failing: %u attempts of one event, "
                                         "the last one: %.200s",
                                         s->lane->failures, s->report.last_error));
    else if (well)
        deliver_alert_resolve(s->d, ns, id);
}

static void attempted(void *ctx, const struct http_outcome *o)
{
    struct sending *s = ctx;
    struct deliveries *d = s->d;
    bool good = o->status >= 200 && o->status < 300;
    if (atomic_load(&d->stopping) && !o->status) {
        sending_put_off(s, 0); /* called off */
        return;
    }
    bytes_release(&s->body);
    s->row.delivery.attempts++;
    s->report.last_attempt_ms = clock_wall_ms(d->config.clock);
    s->report.last_status = o->status;
    if (!good)
        s->report.last_error =
            o->status ? arena_printf(s->read.arena, "the receiver answered %d", o->status)
                      : arena_text(s->read.arena, o->why);
    pthread_mutex_lock(&d->lock);
    bool gone = o->status == 410, last = good || gone || too_old(s);
    bool failing = count_attempt(s->lane, good), well = good && is_alone(s->lane);
    d->stats.failed_attempts += !good;
    pthread_mutex_unlock(&d->lock);
    alert(s, failing, gone, well);
    if (gone)
        deliver_disable(d, s->row.ns, s->row.id);
    if (good)
        sending_finish(s, DELIVERY_DELIVERED);
    else if (last)
        sending_finish(s, DELIVERY_FAILED);
    else
        try_again(s, o->retry_after_s);
}

static void attempt_failed(struct sending *s, const char *why)
{
    struct http_outcome o = {0};
    snprintf(o.why, sizeof o.why, "%.250s", why);
    attempted(s, &o);
}

static void post(struct sending *s, const char *url, const char *secret)
{
    struct err e = {0};
    char id[EVENT_ID_SIZE];
    event_id(s->row.uid, s->row.delivery.seq, id);
    s->body = BYTES_INIT(EVENT_MAX);
    if (!event_body(s->entry, id, &s->body) ||
        !event_sign(&s->headers, secret, id, clock_wall_ms(s->d->config.clock), &s->body)) {
        attempt_failed(s, "the event cannot be made: it is too long");
        return;
    }
    const struct http_call call = {.method = "POST",
                                   .url = url,
                                   .headers = s->headers.lines,
                                   .body = s->body.data,
                                   .body_len = s->body.len,
                                   .timeout_ms = DELIVER_TIMEOUT_MS};
    if (!http_multi_send(s->d->multi, &call, attempted, s, &e))
        attempt_failed(s, e.detail);
}

static void drop(struct sending *s, const char *why)
{
    s->report.last_error = why;
    sending_finish(s, DELIVERY_DROPPED);
}

/* A disabled webhook keeps what waits for it, until that is too old. */
static void send_entry(struct sending *s)
{
    const struct view *v = view_enter(s->d->reader);
    const struct webhook *w = deliver_webhook(v, s->row.ns, s->row.id, s->row.uid);
    bool there = w != NULL, enabled = there && w->enabled;
    char *url = there ? arena_text(s->read.arena, w->url) : NULL;
    char *secret = there ? arena_text(s->read.arena, w->secret) : NULL;
    view_leave(s->d->reader);
    if (!there)
        sending_webhook_gone(s);
    else if (!s->entry)
        drop(s, "the journal has no such entry");
    else if (!enabled && too_old(s))
        drop(s, "the webhook was disabled");
    else if (!enabled)
        sending_put_off(s, DISABLED_MS);
    else
        post(s, url, secret);
    if (secret)
        explicit_bzero(secret, strlen(secret));
}

static void entry_read(struct mail *mail)
{
    struct sending *s = (struct sending *)(void *)mail;
    s->d->asked--;
    if (!s->read.ok || (!s->read.n && s->read.more)) {
        log_text(LOG_ERROR, "webhooks_cannot_read_journal", s->read.err.detail);
        sending_put_off(s, DELIVER_RETRY_MS);
        return;
    }
    s->entry = s->read.n ? &s->read.entries[0] : NULL;
    if (atomic_load(&s->d->stopping))
        sending_put_off(s, 0);
    else
        send_entry(s);
}

/* [store] */
static void entry_was_read(struct journal_read *r)
{
    deliver_answer(((struct sending *)(void *)r)->d, &r->mail);
}

static void start(struct deliveries *d, struct lane *lane)
{
    struct sending *s = mem_zero(1, sizeof *s);
    struct arena *a = arena_new(ARENA_MAX);
    s->d = d;
    s->lane = lane;
    s->row = (struct outbox_row){lane->target->uid,
                                 arena_text(a, lane->target->ns),
                                 arena_text(a, lane->target->id),
                                 arena_text(a, lane->subject),
                                 {0}};
    s->read.arena = a;
    d->busy++;
    if (lane->n == 0) { /* its memory ran empty, and the store could not be read then */
        sending_read_more(s);
        return;
    }
    s->row.delivery = lane->list[0];
    s->read = (struct journal_read){.mail.run = entry_read,
                                    .query = {.after_seq = lane->list[0].seq - 1,
                                              .before_seq = lane->list[0].seq + 1,
                                              .limit = 1},
                                    .arena = a,
                                    .done = entry_was_read};
    d->asked++;
    d->config.store->ops->journal(d->config.store, &s->read);
}

void deliver_send(struct deliveries *d)
{
    while (d->busy < BUSY_MAX) {
        pthread_mutex_lock(&d->lock);
        struct lane *lane = lanes_next(d->lanes, deliver_now(d));
        pthread_mutex_unlock(&d->lock);
        if (!lane)
            return;
        start(d, lane);
    }
}
