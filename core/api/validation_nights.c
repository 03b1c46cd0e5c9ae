/* Nights: begin one, look at the one under way and the last, list one's runs. */
#include "api/handlers.h"
#include "api/items.h"
#include "api/keys.h"
#include "api/validation_work.h"
#include "base/hash.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/nightly_batch.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <string.h>

/* --- beginning --- */

struct asked_night {
    struct night_wish wish; /* first: it travels */
    struct request *rq;
    struct loop *loop;
};

/* [loop] */
static void begun(struct mail *m)
{
    struct asked_night *a = (struct asked_night *)(void *)m;
    struct bytes b = BYTES_INIT(4096);
    if (!a->wish.ok) {
        request_fail(a->rq, &a->wish.err);
    } else {
        bytes_char(&b, '{');
        json_kv_string(&b, "batch_id", a->wish.batch_id);
        json_kv_int(&b, "queued", a->wish.queued);
        bytes_char(&b, '}');
        request_add_header(a->rq, "Location",
                           arena_printf(a->wish.arena,
                                        "/api/models/enterprise/validation/nightly/%s",
                                        a->wish.batch_id));
        request_reply_json(a->rq, 202, &b);
    }
    arena_free(a->wish.arena); /* it lies in it */
}

/* [supervisor] */
static void wish_done(struct night_wish *w)
{
    struct asked_night *a = (struct asked_night *)(void *)w;
    w->mail.run = begun;
    loop_post_answer(a->loop, &w->mail);
}

void validation_nightly_post(struct request *rq)
{
    struct call c;
    struct asked_key key;
    if (!call_begin(rq, ONE_NAMESPACE, &c) || !keys_begin(&c, 0, KEEP_COMMAND_MS, &key))
        return;
    struct arena *arena = arena_new(1 << 20);
    struct asked_night *a = arena_zero(arena, sizeof *a);
    a->wish.arena = arena;
    a->wish.ns = arena_text(arena, c.ns);
    a->wish.done = wish_done;
    a->rq = rq;
    a->loop = request_loop(rq);
    request_defer(rq);
    validation_night(c.api->validation, &a->wish);
}

/* --- looking --- */

static void put_running(struct bytes *b, const struct night_progress *p)
{
    bytes_char(b, '{');
    json_kv_string(b, "batch_id", p->batch_id);
    json_kv_int(b, "total", p->total);
    json_kv_int(b, "done", p->done);
    json_kv_int(b, "under_way", p->under_way);
    json_kv_int(b, "left", p->left);
    json_kv_int(b, "passed", p->counts.passed);
    json_kv_int(b, "failed", p->counts.failed);
    json_kv_int(b, "error", p->counts.error);
    json_kv_int(b, "cancelled", p->counts.cancelled);
    json_kv_time(b, "started_at", p->started_at);
    json_kv_time(b, "estimated_end_at", p->estimated_end_at);
    bytes_char(b, '}');
}

struct soonest {
    int64_t now, at, hour;
};

static bool note_hour(const struct entity *e, void *ctx)
{
    struct soonest *s = ctx;
    struct nightly_hours h = nightly_hours_of(registered_model_of(e));
    int64_t at = night_next(s->now, h.hour_utc);
    if (h.enabled && (!s->at || at < s->at)) {
        s->at = at;
        s->hour = h.hour_utc;
    }
    return true;
}

static bool nightly_render(struct work *w)
{
    struct night_progress p;
    struct soonest s = {.now = clock_wall_ms(w->api->clock),
                        .hour = w->api->rules->nightly_hour_utc};
    const struct view *v = view_enter(w->reader);
    view_each_of(v, ENTITY_REGISTERED_MODEL, w->ns, note_hour, &s);
    const struct document *last = view_nightly_last(v, w->ns);
    bytes_char(&w->out, '{');
    json_kv_int(&w->out, "hour_utc", s.hour);
    json_kv_time(&w->out, "next_at", s.at);
    json_key(&w->out, "running");
    if (validation_night_progress(w->api->validation, w->ns, &p))
        put_running(&w->out, &p);
    else
        bytes_text(&w->out, "null");
    json_key(&w->out, "last");
    if (last)
        bytes_add(&w->out, last->entity.json, last->entity.json_len);
    else
        bytes_text(&w->out, "null");
    view_leave(w->reader);
    bytes_char(&w->out, '}');
    return true;
}

void validation_nightly_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ONE_NAMESPACE, &c))
        work_answer(&c, true, nightly_render, NULL);
}

/* --- one night --- */

struct asked_batch {
    const char *batch_id;
    struct items_page page;
};

/* The night's own members, without the closing brace. */
static bool batch_open(struct work *w, const char *batch_id)
{
    const struct view *v = view_enter(w->reader);
    const struct document *d = view_document(v, &NIGHTLY_BATCH_TYPE, w->ns, batch_id);
    if (d)
        bytes_add(&w->out, d->entity.json, d->entity.json_len - 1);
    view_leave(w->reader);
    return d || fail(&w->err, &NIGHT_NOT_FOUND, "no night '%.128s' in namespace '%.128s'", batch_id,
                     w->ns);
}

static void put_run(struct work *w, const char *run_id, struct arena *a)
{
    struct run r;
    if (w->out.data[w->out.len - 1] != '[')
        bytes_char(&w->out, ',');
    if (run_get(w->api->store, w->ns, run_id, a, &r, NULL)) {
        run_encode(&r, w->ns, &w->out);
    } else {
        bytes_char(&w->out, '{');
        json_kv_string(&w->out, "run_id", run_id);
        bytes_char(&w->out, '}');
    }
}

/* In the order of their ids, which a cursor can go on from. */
static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct run_text *)a)->run_id, ((const struct run_text *)b)->run_id);
}

static bool batch_render(struct work *w)
{
    const struct asked_batch *q = w->args;
    struct run_range range = {.batch_id = q->batch_id, .limit = 1000000};
    struct run_text *list = NULL;
    struct items_page page = q->page;
    size_t n = 0;
    if (!batch_open(w, q->batch_id) ||
        !run_list(w->api->store, &range, w->arena, &list, &n, NULL, &w->err))
        return false;
    if (n)
        qsort(list, n, sizeof *list, by_id);
    struct arena *one = arena_new((size_t)256 << 20);
    json_key(&w->out, "items");
    bytes_char(&w->out, '[');
    for (size_t i = 0; i < n; i++) {
        const struct run_text *text = &list[page.descending ? n - 1 - i : i];
        struct run_place where;
        arena_reset(one);
        if (run_place_read(text, one, &where) &&
            run_is_seen(w->grants, w->reader, w->ns, where.model_id) &&
            items_page_takes(&page, &w->out, text->run_id))
            put_run(w, text->run_id, one);
    }
    arena_free(one);
    items_page_end(&w->out, &page, w->arena);
    return true;
}

void validation_batch_get(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked_batch *q = arena_zero(c.arena, sizeof *q);
    q->batch_id = request_param(rq, "batch_id");
    if (items_page_open(&q->page, &c.q, "night", "run_id", c.arena, &e))
        work_answer(&c, true, batch_render, q);
    else
        request_fail(rq, &e);
}
