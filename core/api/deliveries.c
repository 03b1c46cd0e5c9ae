#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/page_cursor.h"
#include "api/work.h"
#include "base/json.h"
#include "base/mem.h"
#include "feed/deliver.h"
#include "feed/outbox.h"
#include "registry/errors.h"
#include "registry/webhook.h"
#include "telemetry/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *webhook_id(const struct request *rq)
{
    return request_param(rq, WEBHOOK_TYPE.id_name);
}

static bool no_webhook(struct err *e, const char *id)
{
    return fail(e, WEBHOOK_TYPE.not_found, "no %s with id '%.200s'", WEBHOOK_TYPE.noun, id);
}

/* --- list --- */

struct listing {
    const char *id, *status; /* status NULL: all */
    const char *after;       /* "at seq" of the last of the page before */
    size_t limit;
};

/* The log, newest first, as the store gives it. */
struct walk {
    struct work *w;
    char member[32]; /* what an item of the wanted status has */
    int64_t after_at;
    char after_id[32];
    bool skips; /* everything up to the cursor */
    size_t left;
    uint64_t total;
    bool more;
    int64_t last_at;
    char last_id[32];
};

static bool is_after(const struct walk *k, int64_t at, const char *id)
{
    return at != k->after_at ? at < k->after_at : strcmp(id, k->after_id) < 0;
}

/* [store] */
static bool take(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                 size_t len)
{
    struct walk *k = ctx;
    (void)key;
    if (*k->member && !memmem(data, len, k->member, strlen(k->member)))
        return true;
    k->total++;
    if (k->skips && !is_after(k, at, id))
        return true;
    if (!k->left || k->w->out.len > PAGE_BYTES) {
        k->more = true;
        return true;
    }
    k->left--;
    items_add(&k->w->out, data, len);
    k->last_at = at;
    snprintf(k->last_id, sizeof k->last_id, "%.31s", id);
    return true;
}

static uint64_t uid_of(struct work *w, const char *id)
{
    const struct document *d = view_document(view_enter(w->reader), &WEBHOOK_TYPE, w->ns, id);
    uint64_t uid = d ? d->entity.uid : 0;
    view_leave(w->reader);
    return uid;
}

static bool read_after(struct walk *k, const char *after)
{
    char *end;
    if (!after)
        return true;
    k->skips = true;
    k->after_at = strtoll(after, &end, 10);
    snprintf(k->after_id, sizeof k->after_id, "%.31s", *end == ' ' ? end + 1 : "");
    return *end == ' ';
}

static bool list_render(struct work *w)
{
    const struct listing *l = w->args;
    struct walk k = {.w = w, .left = l->limit};
    uint64_t uid = uid_of(w, l->id);
    if (!uid)
        return no_webhook(&w->err, l->id);
    if (!read_after(&k, l->after))
        return fail(&w->err, &ERR_INVALID, "the cursor is none of these lists");
    if (l->status)
        snprintf(k.member, sizeof k.member, "\"status\":\"%s\"", l->status);
    struct series_read read = {
        .key = outbox_log_key(w->arena, uid), .newest_first = true, .each = take, .ctx = &k};
    items_begin(&w->out);
    if (!series_read_wait(w->api->store, &read, &w->err))
        return false;
    const char *last = arena_printf(w->arena, "%" PRId64 " %s", k.last_at, k.last_id);
    items_end(&w->out, k.total, k.more ? page_cursor_make(w->arena, "-created_at", last) : NULL);
    return true;
}

void deliveries_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct listing *l = arena_zero(c.arena, sizeof *l);
    *l = (struct listing){
        .id = webhook_id(rq), .status = c.q.delivery_status, .limit = (size_t)c.q.limit};
    if (!page_cursor_read(c.arena, c.q.cursor, "-created_at", &l->after, &e)) {
        request_fail(rq, &e);
        return;
    }
    work_answer(&c, true, list_render, l);
}

/* --- test --- */

struct testing {
    struct deliver_test test; /* first */
    struct mail answer;
    struct request *rq;
    struct loop *loop;
    char *ns, *id;
};

static void testing_free(struct testing *t)
{
    free(t->ns);
    free(t->id);
    free(t);
}

/* [loop] */
static void tested(struct mail *mail)
{
    struct testing *t = (struct testing *)(void *)((char *)mail - offsetof(struct testing, answer));
    const struct http_outcome *o = &t->test.outcome;
    struct err e = {0};
    struct bytes out = BYTES_INIT(4096);
    if (!t->test.found && !*o->why) {
        no_webhook(&e, t->id);
        request_fail(t->rq, &e);
        testing_free(t);
        return;
    }
    bytes_char(&out, '{');
    json_kv_string(&out, "event_id", t->test.event_id);
    json_kv_bool(&out, "delivered", o->status >= 200 && o->status < 300);
    json_key(&out, "status");
    if (o->status)
        bytes_int(&out, o->status);
    else
        bytes_text(&out, "null");
    json_kv_string(&out, "error", *o->why ? o->why : NULL);
    json_kv_int(&out, "duration_ms", o->took_ms);
    bytes_char(&out, '}');
    request_reply_json(t->rq, 200, &out);
    testing_free(t);
}

/* [deliver] */
static void outcome_known(struct deliver_test *test)
{
    struct testing *t = (struct testing *)(void *)test;
    loop_post_answer(t->loop, &t->answer);
}

void webhook_test_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct testing *t = mem_zero(1, sizeof *t);
    t->ns = mem_text(c.ns);
    t->id = mem_text(webhook_id(rq));
    t->rq = rq;
    t->loop = request_loop(rq);
    t->answer.run = tested;
    t->test = (struct deliver_test){.ns = t->ns, .id = t->id, .done = outcome_known};
    request_defer(rq);
    if (deliver_test(c.api->deliveries, &t->test, &e))
        return;
    request_fail(rq, &e);
    testing_free(t);
}
