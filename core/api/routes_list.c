/* Routes beside what all documents have: the list, in which those that nobody stored are too, and
 * the dry run of a change. */
#include "api/handlers.h"
#include "api/documents.h"
#include "api/items.h"
#include "api/page_cursor.h"
#include "api/submit.h"
#include "api/work.h"
#include "base/mem.h"
#include "registry/cursor.h"
#include "registry/route.h"

#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

struct listing {
    size_t limit;
    const char *after_name, *after_ns; /* NULL: from the start */
};

/* Both kinds lie in the order of namespace and id: the stored routes are few and collected, the
 * names walked, and both merged. */
struct pass {
    struct work *w;
    const struct view *v;
    const struct listing *l;
    const struct entity **stored;
    size_t stored_count, stored_room, at;
    uint64_t total;
    size_t given;
    const struct entity *last; /* of those given, or of the name behind it */
    bool more;
};

static bool in_page(const struct pass *p, const struct entity *e)
{
    const struct work *w = p->w;
    return (strcmp(w->ns, "*") == 0 || strcmp(w->ns, e->ns) == 0) &&
           (!w->grants || grants_allow(w->grants, e->ns, e->id, ACTION_BIT(ACTION_READ)));
}

static int order(const struct entity *a, const char *ns, const char *id)
{
    int by_ns = strcmp(a->ns, ns);
    return by_ns ? by_ns : strcmp(a->id, id);
}

static bool collect(const struct entity *e, void *ctx)
{
    struct pass *p = ctx;
    if (p->stored_count == p->stored_room) {
        p->stored_room = p->stored_room ? 2 * p->stored_room : 64;
        p->stored = mem_resize(p->stored, p->stored_room, sizeof *p->stored);
    }
    p->stored[p->stored_count++] = e;
    return true;
}

static void give(struct pass *p, const struct entity *e)
{
    const struct listing *l = p->l;
    if (!in_page(p, e))
        return;
    p->total++;
    if (l->after_name && order(e, l->after_ns, l->after_name) <= 0)
        return;
    if (p->given == l->limit || p->w->out.len > PAGE_BYTES) {
        p->more = true;
        return;
    }
    bool implied;
    struct arena *a = arena_new(1 << 20);
    const struct document *d = document_find(p->v, &ROUTE_TYPE, e->ns, e->id, a, &implied);
    if (d)
        items_add(&p->w->out, d->entity.json, d->entity.json_len);
    arena_free(a);
    p->given++;
    p->last = e;
}

static bool merge(const struct entity *name, void *ctx)
{
    struct pass *p = ctx;
    int before = -1;
    while (p->at < p->stored_count && (before = order(p->stored[p->at], name->ns, name->id)) <= 0) {
        give(p, p->stored[p->at++]);
        if (before == 0)
            return true;
    }
    give(p, name);
    return true;
}

static bool render(struct work *w)
{
    const struct listing *l = w->args;
    struct pass p = {.w = w, .v = view_enter(w->reader), .l = l};
    items_begin(&w->out);
    view_each(p.v, ENTITY_ROUTE, collect, &p);
    view_each(p.v, ENTITY_REGISTERED_MODEL, merge, &p);
    while (p.at < p.stored_count)
        give(&p, p.stored[p.at++]);
    const char *next = NULL;
    if (p.more && p.last)
        next = page_cursor_make(w->arena, "route",
                                name_cursor_write(false, p.last->id, p.last->ns, w->arena));
    items_end(&w->out, p.total, next);
    view_leave(w->reader);
    free(p.stored);
    return true;
}

void routes_list(struct request *rq)
{
    struct call c;
    struct err e;
    const char *after;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct listing *l = arena_zero(c.arena, sizeof *l);
    l->limit = (size_t)c.q.limit;
    if (!page_cursor_read(c.arena, c.q.cursor, "route", &after, &e) ||
        (after && !name_cursor_read(after, false, c.arena, &l->after_name, &l->after_ns, &e))) {
        request_fail(rq, &e);
        return;
    }
    const struct view *v = view_enter(c.reader);
    size_t n = view_count(v, ENTITY_ROUTE) + view_count(v, ENTITY_REGISTERED_MODEL);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, render, l);
}

/* ---- dry run ---- */

void route_change(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (c.q.dry_run && strcmp(c.q.dry_run, "true") == 0)
        submit(rq, &(struct wish){.decide = route_preview,
                                  .id = request_param(rq, ROUTE_TYPE.id_name),
                                  .kind = ROUTE_TYPE.kind,
                                  .args = &ROUTE_TYPE});
    else
        document_change(rq);
}
