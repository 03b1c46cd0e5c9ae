/* From the lanes to the receivers. A lane under way has one `struct sending`: it reads the entry,
 * posts it, writes down what became of it, and gives the lane back. Only then does the lane go on,
 * so that what a crash repeats is one delivery of each lane. */
#include "feed/deliver_impl.h"

#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MAX      64          /* lanes under way: bodies in memory */
#define ARENA_MAX     (24u << 20) /* an entry and what goes with it */
#define TIMEOUT_MS    15000
#define FIRST_MS      1000 /* the first pause; each is twice the one before */
#define LONGEST_MS    300000
#define DISABLED_MS   10000 /* how often a disabled webhook is looked at */
#define TESTS_MAX     16
#define COMMAND_ARENA (16u << 20)

struct sending {
    struct journal_read read; /* first */
    struct series_append append;
    struct series_read more;
    struct deliveries *d;
    struct lane *lane;
    struct bytes body;
    struct outbox_row row;
    struct outbox_report report;
    const struct journal_entry *entry; /* NULL: the journal has none */
    struct series_record records[2];
    struct series_trim trim;
    struct event_headers headers;
    int64_t due_ms;
    size_t n_more;
};

const struct webhook *deliver_webhook(const struct view *v, const char *ns, const char *id,
                                      uint64_t uid)
{
    const struct document *d = view_document(v, &WEBHOOK_TYPE, ns, id);
    return d && d->entity.uid == uid ? webhook_of(d) : NULL;
}

static void sending_free(struct sending *s)
{
    s->d->busy--;
    bytes_release(&s->body);
    arena_free(s->read.arena);
    free(s);
}

/* Not now. */
static void put_off(struct sending *s, int64_t ms)
{
    struct deliveries *d = s->d;
    pthread_mutex_lock(&d->lock);
    lane_later(d->lanes, s->lane, deliver_now(d) + ms);
    pthread_mutex_unlock(&d->lock);
    sending_free(s);
}

/* The webhook is gone, and with it all that waits for it. */
static void webhook_gone(struct sending *s)
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

static void read_more(struct sending *s)
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
        read_more(s);
    else
        sending_free(s);
}

/* --- what became of it --- */

static void written(struct mail *mail)
{
    struct sending *s = (struct sending *)(void *)((char *)mail - offsetof(struct sending, append));
    s->d->asked--;
    if (!s->append.ok) /* it may be sent once more after a restart, which is allowed */
        log_text(LOG_WARN, "webhook_delivery_not_noted", s->append.err.detail);
    go_on(s);
}

/* [store] */
static void was_written(struct series_append *a)
{
    struct sending *s = (struct sending *)(void *)((char *)a - offsetof(struct sending, append));
    deliver_answer(s->d, &a->mail);
}

static void note(struct sending *s)
{
    struct deliveries *d = s->d;
    struct arena *a = s->read.arena;
    bool pending = s->report.status == DELIVERY_PENDING;
    s->records[0] = outbox_logged(a, &s->row, s->entry, &s->report);
    if (pending)
        s->records[1] = outbox_queued(a, &s->row);
    else /* all before it in the lane is done with */
        s->trim = (struct series_trim){outbox_queue_key(a, s->row.uid, s->row.subject),
                                       (int64_t)s->row.delivery.seq + 1};
    s->append = (struct series_append){.mail.run = written,
                                       .records = s->records,
                                       .n = pending ? 2 : 1,
                                       .trims = &s->trim,
                                       .n_trims = pending ? 0 : 1,
                                       .done = was_written};
    d->asked++;
    d->config.store->ops->append(d->config.store, &s->append);
}

static void finish(struct sending *s, enum delivery_status status)
{
    struct deliver_stats *stats = &s->d->stats;
    s->report.status = status;
    s->report.finished_ms = clock_wall_ms(s->d->config.clock);
    pthread_mutex_lock(&s->d->lock);
    *(status == DELIVERY_DELIVERED ? &stats->delivered
      : status == DELIVERY_FAILED  ? &stats->failed
                                   : &stats->dropped) += 1;
    pthread_mutex_unlock(&s->d->lock);
    note(s);
}

static bool too_old(const struct sending *s)
{
    return clock_wall_ms(s->d->config.clock) - s->row.delivery.created_ms >= DELIVER_FOR_MS;
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
    note(s);
}

/* --- 410 Gone --- */

/* [engine] */
static void disabled(struct command *c)
{
    if (!c->ok)
        log_text(LOG_WARN, "webhook_not_disabled", c->err.detail);
    json_decref((json_t *)(uintptr_t)c->body);
    arena_free(c->arena); /* the command lies in it */
}

static void disable(struct sending *s)
{
    struct err e = {0};
    struct arena *a = arena_new(COMMAND_ARENA);
    struct command *c = arena_zero(a, sizeof *c);
    *c = (struct command){.arena = a,
                          .ns = arena_text(a, s->row.ns),
                          .actor = {"server", "webhooks", NULL},
                          .request_id = "",
                          .reason = "The receiver answered 410 Gone.",
                          .if_match = -1,
                          .id = arena_text(a, s->row.id),
                          .body = json_pack("{s:b}", "enabled", 0),
                          .args = (void *)(uintptr_t)&WEBHOOK_TYPE,
                          .decide = document_patch,
                          .done = disabled};
    if (c->body && engine_submit(s->d->config.engine, c, &e))
        return;
    log_text(LOG_WARN, "webhook_not_disabled", e.detail);
    json_decref((json_t *)(uintptr_t)c->body);
    arena_free(a);
}

/* --- attempts --- */

static void attempted(void *ctx, const struct http_outcome *o)
{
    struct sending *s = ctx;
    struct deliveries *d = s->d;
    bool good = o->status >= 200 && o->status < 300;
    if (atomic_load(&d->stopping) && !o->status) {
        put_off(s, 0); /* called off */
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
    s->lane->list[0].attempts++;
    s->lane->failures += !good;
    s->lane->target->failures = good ? 0 : s->lane->target->failures + 1;
    d->stats.failed_attempts += !good;
    pthread_mutex_unlock(&d->lock);
    if (o->status == 410)
        disable(s);
    if (good)
        finish(s, DELIVERY_DELIVERED);
    else if (o->status == 410 || too_old(s))
        finish(s, DELIVERY_FAILED);
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
                                   .timeout_ms = TIMEOUT_MS};
    if (!http_multi_send(s->d->multi, &call, attempted, s, &e))
        attempt_failed(s, e.detail);
}

static void drop(struct sending *s, const char *why)
{
    s->report.last_error = why;
    finish(s, DELIVERY_DROPPED);
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
        webhook_gone(s);
    else if (!s->entry)
        drop(s, "the journal has no such entry");
    else if (!enabled && too_old(s))
        drop(s, "the webhook was disabled");
    else if (!enabled)
        put_off(s, DISABLED_MS);
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
        put_off(s, DELIVER_RETRY_MS);
        return;
    }
    s->entry = s->read.n ? &s->read.entries[0] : NULL;
    if (atomic_load(&s->d->stopping))
        put_off(s, 0);
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
        read_more(s);
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

/* --- tests --- */

static void test_end(struct deliver_test *t)
{
    bytes_release(&t->body);
    atomic_fetch_sub(&t->deliveries->tests, 1);
    t->done(t);
}

static void tested(void *ctx, const struct http_outcome *o)
{
    struct deliver_test *t = ctx;
    t->outcome = *o;
    test_end(t);
}

static bool test_begin(struct deliver_test *t, const struct webhook *w, struct err *e)
{
    struct deliveries *d = t->deliveries;
    struct event_headers headers;
    int64_t now = clock_wall_ms(d->config.clock);
    char random[ULID_SIZE];
    ulid_make(now, random);
    snprintf(t->event_id, sizeof t->event_id, "test_%s", random);
    t->body = BYTES_INIT(4096);
    if (!event_test_body(t->ns, t->id, t->event_id, now, &t->body) ||
        !event_sign(&headers, w->secret, t->event_id, now, &t->body))
        return fail(e, &ERR_INTERNAL, "the event cannot be made");
    const struct http_call call = {.method = "POST",
                                   .url = w->url,
                                   .headers = headers.lines,
                                   .body = t->body.data,
                                   .body_len = t->body.len,
                                   .timeout_ms = TIMEOUT_MS};
    return http_multi_send(d->multi, &call, tested, t, e);
}

void deliver_run_test(struct mail *mail)
{
    struct deliver_test *t = (struct deliver_test *)(void *)mail;
    struct deliveries *d = t->deliveries;
    struct err e = {0};
    bool begun = false;
    if (atomic_load(&d->stopping)) {
        fail(&e, &ERR_BUSY, "called off: the server stops");
    } else {
        const struct view *v = view_enter(d->reader);
        const struct document *doc = view_document(v, &WEBHOOK_TYPE, t->ns, t->id);
        t->found = doc != NULL;
        begun = doc && test_begin(t, webhook_of(doc), &e);
        view_leave(d->reader);
    }
    if (begun)
        return;
    snprintf(t->outcome.why, sizeof t->outcome.why, "%.250s", e.detail);
    test_end(t);
}

bool deliver_test(struct deliveries *d, struct deliver_test *t, struct err *e)
{
    t->deliveries = d;
    t->mail.run = deliver_run_test;
    if (atomic_fetch_add(&d->tests, 1) < TESTS_MAX && mailbox_post(d->box, &t->mail))
        return true;
    atomic_fetch_sub(&d->tests, 1);
    return fail(e, &ERR_BUSY, "too many tests of webhooks are under way; try again later");
}
