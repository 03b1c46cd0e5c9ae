/* Decisions that were made: what an id says of one, and those that routes have logged. */
#include "selection/decisions.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/work.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/scan.h"
#include "selection/errors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_MAX  50000      /* decisions of one answer, whatever its pages: the newest */
#define FOUND_SIZE (64 << 20) /* bytes of them */

/* ---- what an id says ---- */

/* Names for what a decision knows by incarnation, as far as they are still there. */
struct names {
    const struct decision_facts *f;
    const struct model *served, *intended;
    const char *route;
    const struct route_plan *plan;
    struct arena *arena;
};

static const struct model *named_model(const struct view *v, const char *ns, uint64_t uid)
{
    const struct entity *e = view_by_uid_of(v, ENTITY_MODEL, ns, uid);
    return e ? model_of(e) : NULL;
}

static void find_names(struct names *n, const struct view *v, const char *ns)
{
    const struct decision_facts *f = n->f;
    const struct entity *route = view_by_uid_of(v, ENTITY_ROUTE, ns, f->route_uid);
    if (route)
        n->plan = route_plan_of(document_of(route));
    else /* that of a registered model, which nobody stored */
        route = view_by_uid_of(v, ENTITY_REGISTERED_MODEL, ns, f->route_uid);
    n->route = route ? route->id : NULL;
    n->served = named_model(v, ns, f->served_uid);
    n->intended =
        f->intended_uid == f->served_uid ? n->served : named_model(v, ns, f->intended_uid);
}

static const char *arm_of(const struct names *n)
{
    for (size_t i = 0; n->plan && i < n->plan->arm_count; i++) {
        const char *name = n->plan->arms[i].name;
        if (decision_mark(name, strlen(name)) == n->f->arm)
            return name;
    }
    const struct model *m = n->intended;
    return m && decision_mark(m->entity.id, strlen(m->entity.id)) == n->f->arm ? m->entity.id
                                                                               : NULL;
}

static void put_shadows(struct bytes *b, const struct view *v, const char *ns,
                        const struct names *n)
{
    bool first = true;
    json_key(b, "shadows");
    bytes_char(b, '[');
    for (size_t i = 0; n->plan && i < n->plan->shadow_count; i++) {
        const struct model *m = route_model(v, ns, n->plan, n->plan->shadows[i].reference);
        if (!m || !(n->f->shadows & 1u << i))
            continue;
        if (!first)
            bytes_char(b, ',');
        json_put_string(b, m->entity.id);
        first = false;
    }
    bytes_char(b, ']');
}

static void put_decision(struct work *w, const struct view *v, const char *id,
                         const struct names *n)
{
    const struct decision_facts *f = n->f;
    struct bytes *b = &w->out;
    bytes_char(b, '{');
    json_kv_string(b, "decision_id", id);
    json_kv_time(b, "at", f->at_ms);
    json_kv_string(b, "route", n->route);
    json_kv_string(b, "arm", arm_of(n));
    json_kv_string(b, "model_id", n->served->entity.id);
    json_kv_string(b, "intended_model_id", n->intended ? n->intended->entity.id : NULL);
    json_kv_string(b, "reason", selection_reason_name(f->reason));
    json_kv_number(b, "propensity", f->propensity);
    json_kv_bool(b, "fallback", f->flags & DECISION_FALLBACK);
    put_shadows(b, v, w->ns, n);
    bytes_char(b, '}');
}

/* A decision on models that one may not read is not there for him. */
static bool decode(struct work *w)
{
    const char *id = w->args;
    struct decision_facts f;
    struct names n = {.f = &f};
    const struct view *v = view_enter(w->reader);
    bool good = decision_id_read(w->api->selection->keys, id, strlen(id), &f) == DECISION_GOOD;
    if (good)
        find_names(&n, v, w->ns);
    good =
        good && n.served && grants_allow(w->grants, w->ns, n.served->name, ACTION_BIT(ACTION_READ));
    if (good)
        put_decision(w, v, id, &n);
    view_leave(w->reader);
    return good || fail(&w->err, &DECISION_NOT_FOUND,
                        "this is no decision of this server on a model of namespace '%s'", w->ns);
}

void decision_get(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    size_t n = view_count(view_enter(c.reader), ENTITY_MODEL);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, decode,
                (void *)(uintptr_t)arena_text(c.arena, request_param(rq, "decision_id")));
}

/* ---- those that were logged ---- */

struct asked {
    const char *unit, *route;
    int64_t from, to;
    struct items_page page;
};

struct finding {
    struct work *w;
    struct items_heap heap; /* JSON texts */
    size_t bytes;           /* of them */
};

enum { DECISION_ID, NAME, MEMBERS };
static const char *const NAMES[MEMBERS] = {"decision_id", "name"};

/* [store] What one may not read is not there. */
static bool take(void *ctx, const struct logged_decision *d)
{
    struct finding *f = ctx;
    struct arena *a = f->w->arena;
    struct slice s[MEMBERS];
    char name[1024], id[DECISION_ID_SIZE];
    if (f->heap.n == FOUND_MAX || f->bytes + d->len > FOUND_SIZE)
        return false;
    if (!scan_pick((struct slice){d->json, d->len}, NAMES, MEMBERS, s) ||
        s[DECISION_ID].len != DECISION_ID_SIZE + 1 || s[NAME].len > sizeof name)
        return true;
    slice_unescape(s[NAME], name);
    if (!grants_allow(f->w->grants, f->w->ns, name, ACTION_BIT(ACTION_READ)))
        return true;
    slice_unescape(s[DECISION_ID], id); /* several loops may have written at the same time */
    items_note(&f->heap, a, arena_printf(a, "%s\t%s", items_number(a, d->at_ms), id),
               arena_copy(a, d->json, d->len));
    f->bytes += d->len;
    return true;
}

static void put_decision_text(struct bytes *out, const void *json, void *ctx)
{
    (void)ctx;
    items_add(out, json, strlen(json));
}

/* [reader] */
static bool list_render(struct work *w)
{
    const struct asked *asked = w->args;
    struct finding f = {.w = w};
    struct items_page page = asked->page;
    const struct decision_query q = {.ns = w->ns,
                                     .unit = asked->unit,
                                     .route = asked->route,
                                     .from = asked->from,
                                     .to = asked->to,
                                     .each = take,
                                     .ctx = &f};
    bool ok = decisions_read(w->api->store, &q, &w->err);
    items_begin(&w->out);
    items_give(&f.heap, &page, &w->out, put_decision_text, NULL);
    items_page_end(&w->out, &page, w->arena);
    return ok;
}

void decisions_list(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked *asked = arena_zero(c.arena, sizeof *asked);
    *asked = (struct asked){.unit = c.q.unit, .route = c.q.route, .from = c.q.from, .to = c.q.to};
    if (!c.q.unit)
        call_refuse(&c, "unit", "must be given");
    else if (!items_page_open(&asked->page, &c.q, "decisions", "-at", c.arena, &e))
        request_fail(rq, &e);
    else
        work_answer(&c, true, list_render, asked);
}
