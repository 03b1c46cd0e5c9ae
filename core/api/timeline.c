/* The timeline: events of the journal become intervals. A version's status lasts until its next
 * one; a hold until it is lifted. What happened before the span that was asked for is read as well,
 * since it may reach into it. */
#include "api/timeline.h"

#include "api/handlers.h"
#include "api/history.h"
#include "api/items.h"
#include "api/journal_read.h"
#include "base/grow.h"
#include "base/json.h"
#include "base/map.h"
#include "registry/errors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct interval {
    uint64_t seq; /* of the entry it began with; a hold begins after a status of the same entry */
    const char *model_id, *status; /* status "held": a hold */
    int64_t from, to;              /* to 0: lasts */
    const char *actor, *reason;
    const char *ended_by; /* actor, JSON text, or NULL */
};

struct timeline {
    struct interval *list;
    size_t n, cap;
    struct map *open, *held; /* model id -> position in `list`, plus 1 */
};

struct asked {
    const char *name;
    int64_t from, to, at;
    struct items_page page;
};

/* --- intervals --- */

static void begin_interval(struct timeline *t, struct map *which, const struct event *e,
                           const char *status)
{
    GROW(t->list, t->n, t->cap);
    t->list[t->n++] = (struct interval){.seq = e->seq,
                                        .model_id = e->model_id,
                                        .status = status,
                                        .from = e->at,
                                        .actor = e->actor,
                                        .reason = e->reason};
    map_set(which, e->model_id, strlen(e->model_id), (void *)(uintptr_t)t->n);
}

static void end_interval(struct timeline *t, struct map *which, const char *model_id,
                         const struct event *e)
{
    uintptr_t at = (uintptr_t)map_remove(which, model_id, strlen(model_id));
    if (!at)
        return;
    t->list[at - 1].to = e->at;
    t->list[at - 1].ended_by = e->actor;
}

static void end_all(struct timeline *t, const struct event *e)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->list[i].to)
            continue;
        end_interval(t, t->open, t->list[i].model_id, e);
        end_interval(t, t->held, t->list[i].model_id, e);
    }
}

static void apply(struct timeline *t, const struct event *e)
{
    switch (e->kind) {
    case EVENT_STATUS:
        end_interval(t, t->open, e->model_id, e);
        if (e->status)
            begin_interval(t, t->open, e, e->status);
        break;
    case EVENT_HELD:
        if (!map_get(t->held, e->model_id, strlen(e->model_id)))
            begin_interval(t, t->held, e, "held");
        break;
    case EVENT_RELEASED: end_interval(t, t->held, e->model_id, e); break;
    case EVENT_GONE:
        if (!e->model_id) {
            end_all(t, e);
            break;
        }
        end_interval(t, t->open, e->model_id, e);
        end_interval(t, t->held, e->model_id, e);
        break;
    }
}

static void timeline_build(struct timeline *t, const struct history *h)
{
    *t = (struct timeline){.open = map_new(), .held = map_new()};
    for (size_t i = 0; i < h->n; i++)
        apply(t, &h->events[i]);
}

static void timeline_release(struct timeline *t)
{
    map_free(t->open);
    map_free(t->held);
    free(t->list);
}

/* --- .../timeline --- */

static bool is_hold(const struct interval *in)
{
    return strcmp(in->status, "held") == 0;
}

/* Where it stands among all intervals of the name, for cursors. */
static uint64_t position(const struct interval *in)
{
    return 2 * in->seq + is_hold(in);
}

static bool is_told(const struct interval *in, const struct asked *asked)
{
    bool told =
        is_hold(in) || strcmp(in->status, "stable") == 0 || strcmp(in->status, "canary") == 0;
    return told && (!asked->to || in->from < asked->to) && (!in->to || in->to > asked->from);
}

static void put_interval(struct bytes *b, const struct interval *in)
{
    bytes_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
    json_kv_string(b, "model_id", in->model_id);
    json_kv_string(b, "status", in->status);
    json_kv_time(b, "from", in->from);
    json_kv_time(b, "to", in->to);
    json_kv_raw(b, "actor", in->actor);
    json_kv_string(b, "reason", in->reason);
    json_kv_raw(b, "ended_by", in->to ? in->ended_by : NULL);
    bytes_char(b, '}');
}

static void put_timeline(struct work *w, const struct asked *asked, const struct timeline *t)
{
    struct items_page page = asked->page;
    items_begin(&w->out);
    for (size_t i = 0; i < t->n; i++) {
        const struct interval *in = &t->list[page.descending ? t->n - 1 - i : i];
        if (is_told(in, asked) &&
            items_page_takes(&page, &w->out, items_number(w->arena, (int64_t)position(in))))
            put_interval(&w->out, in);
    }
    items_page_end(&w->out, &page, w->arena);
}

static bool name_exists(struct work *w, const char *name)
{
    bool exists = view_registered_model(view_enter(w->reader), w->ns, name) != NULL;
    view_leave(w->reader);
    return exists;
}

static bool timeline_render(struct work *w)
{
    const struct asked *asked = w->args;
    struct history h;
    bool ok = history_read(w, asked->name, asked->to, &h);
    if (ok && h.n == 0 && !name_exists(w, asked->name))
        ok = fail(&w->err, &REGISTERED_MODEL_NOT_FOUND,
                  "no registered model '%s' in namespace '%s'", asked->name, w->ns);
    if (ok) {
        struct timeline t;
        timeline_build(&t, &h);
        put_timeline(w, asked, &t);
        timeline_release(&t);
    }
    history_release(&h);
    return ok;
}

void timeline_get(struct request *rq)
{
    struct call c;
    struct err e;
    struct items_page page;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (!items_page_open(&page, &c.q, "timeline", "from", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct asked *asked = arena_zero(c.arena, sizeof *asked);
    *asked = (struct asked){
        .name = request_param(rq, "name"), .from = c.q.from, .to = c.q.to, .page = page};
    work_answer(&c, true, timeline_render, asked);
}

/* --- ?at= --- */

/* The registered model's text as it was after its last entry before `to`. NULL if it did not exist
 * then. */
static bool entity_at(struct work *w, const struct former_name *name, int64_t to, json_t **entity)
{
    const struct journal_query q = {
        .ns = w->ns,
        .entity = ENTITY_TYPES[ENTITY_REGISTERED_MODEL].name,
        .entity_id = name->name,
        .to = to,
        .before_seq = name->before_seq,
        .newest_first = true,
        .limit = 1,
    };
    struct journal_read page;
    if (!journal_read_wait(w->api, &q, w->arena, &page, &w->err))
        return false;
    if (page.n == 0)
        return true;
    json_t *text = json_read(page.entries[0].text, page.entries[0].text_len, &w->err);
    if (!text)
        return false;
    json_t *after = json_object_get(text, "after");
    *entity = json_is_object(after) ? json_incref(after) : NULL;
    json_decref(text);
    return true;
}

static void put_ids(struct bytes *b, const char *key, const struct timeline *t, const char *status)
{
    json_key(b, key);
    bytes_char(b, '[');
    for (size_t i = 0; i < t->n; i++) {
        if (t->list[i].to || strcmp(t->list[i].status, status) != 0)
            continue;
        if (b->data[b->len - 1] != '[')
            bytes_char(b, ',');
        json_put_string(b, t->list[i].model_id);
    }
    bytes_char(b, ']');
}

static void put_at(struct bytes *b, const json_t *entity, int64_t at, const struct timeline *t)
{
    json_put_value(b, entity);
    b->len--; /* the closing brace */
    json_kv_time(b, "at", at);
    put_ids(b, "stables", t, "stable");
    put_ids(b, "canaries", t, "canary");
    put_ids(b, "held", t, "held");
    bytes_char(b, '}');
}

static bool at_render(struct work *w)
{
    const struct asked *asked = w->args;
    struct history h;
    json_t *entity = NULL;
    bool ok = history_read(w, asked->name, asked->at + 1, &h);
    for (size_t i = 0; ok && !entity && i < h.n_names; i++)
        ok = entity_at(w, &h.names[i], asked->at + 1, &entity);
    if (ok && !entity)
        ok = fail(&w->err, &REGISTERED_MODEL_NOT_FOUND,
                  "no registered model '%s' in namespace '%s' at that time", asked->name, w->ns);
    if (ok) {
        struct timeline t;
        timeline_build(&t, &h);
        put_at(&w->out, entity, asked->at, &t);
        timeline_release(&t);
    }
    json_decref(entity);
    history_release(&h);
    return ok;
}

void timeline_answer_at(struct call *c)
{
    struct asked *asked = arena_zero(c->arena, sizeof *asked);
    *asked = (struct asked){.name = request_param(c->rq, "name"), .at = c->q.at};
    work_answer(c, true, at_render, asked);
}
