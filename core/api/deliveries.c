#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/work.h"
#include "base/json.h"
#include "base/mem.h"
#include "feed/deliver.h"
#include "feed/outbox.h"
#include "registry/errors.h"
#include "registry/webhook.h"
#include "store/wait.h"

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

#define KEYS_MAX (64 << 10)

struct listing {
    const char *id, *status; /* status NULL: all */
    struct items_page page;
};

/* The log, as the store gives it: by time and id, or against it. */
struct walk {
    struct work *w;
    char member[32]; /* what an item of the wanted status has */
    struct items_page page;
    struct arena *keys; /* of the item at hand */
};

/* [store] */
static bool take(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                 size_t len)
{
    struct walk *k = ctx;
    (void)key;
    if (*k->member && !memmem(data, len, k->member, strlen(k->member)))
        return true;
    arena_reset(k->keys);
    const char *name = arena_printf(k->keys, "%s\t%s", items_number(k->keys, at), id);
    if (items_page_takes(&k->page, &k->w->out, name)) {
        items_add(&k->w->out, data, len);
        k->page.last = arena_text(k->w->arena, name);
    }
    return true;
}

static uint64_t uid_of(struct work *w, const char *id)
{
    const struct document *d = view_document(view_enter(w->reader), &WEBHOOK_TYPE, w->ns, id);
    uint64_t uid = d ? d->entity.uid : 0;
    view_leave(w->reader);
    return uid;
}

static bool list_render(struct work *w)
{
    const struct listing *l = w->args;
    struct walk k = {.w = w, .page = l->page};
    uint64_t uid = uid_of(w, l->id);
    if (!uid)
        return no_webhook(&w->err, l->id);
    if (l->status)
        snprintf(k.member, sizeof k.member, "\"status\":\"%s\"", l->status);
    struct series_read read = {.key = outbox_log_key(w->arena, uid),
                               .newest_first = k.page.descending,
                               .each = take,
                               .ctx = &k};
    k.keys = arena_new(KEYS_MAX);
    items_begin(&w->out);
    bool ok = store_read_wait(w->api->store, &read, &w->err);
    items_page_end(&w->out, &k.page, w->arena);
    arena_free(k.keys);
    return ok;
}

void deliveries_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct listing *l = arena_zero(c.arena, sizeof *l);
    *l = (struct listing){.id = webhook_id(rq), .status = c.q.delivery_status};
    if (!items_page_open(&l->page, &c.q, "deliveries", "-created_at", c.arena, &e)) {
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
