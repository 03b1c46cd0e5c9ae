/* The test button of a webhook: one event outside the lanes, answered with what the receiver said.
 */
#include "feed/deliver_impl.h"

#include "base/ids.h"

#include <stdio.h>

#define TESTS_MAX 16

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
                                   .timeout_ms = DELIVER_TIMEOUT_MS};
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
