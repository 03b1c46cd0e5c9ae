/* Routes beside what all documents have: the list, in which those that nobody stored are too, and
 * the dry run of a change. */
#include "api/handlers.h"
#include "api/documents.h"
#include "api/items.h"
#include "api/page_cursor.h"
#include "api/submit.h"
#include "api/work.h"
#include "base/grow.h"
#include "registry/registered_model.h"
#include "registry/route.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

/* Both kinds lie in the order of namespace and id: the stored routes are few and collected, the
 * names walked, and both merged. Another order is made of that one. */
struct one {
    const struct entity *e; /* the route, or the name behind it */
    int64_t at;             /* when it was made or changed, if that is the order */
};

struct pass {
    struct work *w;
    const struct view *v;
    struct items_page page;
    const struct entity **stored;
    size_t stored_count, stored_room, at;
    struct one *all; /* that may be seen */
    size_t n, room;
};

static bool may_see(const struct pass *p, const struct entity *e)
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
    GROW(p->stored, p->stored_count, p->stored_room);
    p->stored[p->stored_count++] = e;
    return true;
}

/* A route that nobody stored is as old as its name. */
static int64_t time_of(const struct entity *e, bool updated)
{
    if (e->kind == ENTITY_REGISTERED_MODEL)
        return registered_model_of(e)->created_at;
    const struct document_head *head = document_of(e)->fields;
    return updated ? head->updated_at : head->created_at;
}

static void note(struct pass *p, const struct entity *e)
{
    if (!may_see(p, e))
        return;
    GROW(p->all, p->n, p->room);
    int64_t at =
        items_page_by(&p->page, "route") ? 0 : time_of(e, items_page_by(&p->page, "updated_at"));
    p->all[p->n++] = (struct one){e, at};
}

static bool merge(const struct entity *name, void *ctx)
{
    struct pass *p = ctx;
    int before = -1;
    while (p->at < p->stored_count && (before = order(p->stored[p->at], name->ns, name->id)) <= 0) {
        note(p, p->stored[p->at++]);
        if (before == 0)
            return true;
    }
    note(p, name);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return order(x->e, y->e->ns, y->e->id);
}

static const char *key_of(struct arena *a, const struct one *one)
{
    return arena_printf(a, "%" PRId64 "\t%s\t%s", one->at, one->e->ns, one->e->id);
}

/* What the cursor names, as an item: its texts lie in `key`, which is cut. */
static bool cut_key(char *key, struct entity *e, struct one *one)
{
    char *ns = strchr(key, '\t'), *id = ns ? strchr(ns + 1, '\t') : NULL;
    if (!id)
        return false;
    *ns++ = *id++ = '\0';
    *e = (struct entity){.ns = ns, .id = id};
    *one = (struct one){e, strtoll(key, NULL, 10)};
    return true;
}

static void give(struct pass *p, const struct entity *e)
{
    bool implied;
    struct arena *a = arena_new(1 << 20);
    const struct document *d = document_find(p->v, &ROUTE_TYPE, e->ns, e->id, a, &implied);
    if (d)
        items_add(&p->w->out, d->entity.json, d->entity.json_len);
    arena_free(a);
}

/* Keys of 100,000 routes are not written out for one page: items are compared as they are. */
static bool put_page(struct pass *p)
{
    struct work *w = p->w;
    struct one after;
    struct entity named;
    const char *next = NULL;
    size_t i = 0, given = 0;
    int turn = p->page.descending ? -1 : 1;
    if (p->page.after && !cut_key(arena_text(w->arena, p->page.after), &named, &after))
        return fail(&w->err, &ERR_INVALID, "the cursor is none of these lists");
    if (!items_page_by(&p->page, "route") && p->n)
        qsort(p->all, p->n, sizeof *p->all, compare);
    items_begin(&w->out);
    for (; i < p->n && given < p->page.limit && w->out.len <= PAGE_BYTES; i++) {
        const struct one *one = &p->all[turn > 0 ? i : p->n - 1 - i];
        if (p->page.after && turn * compare(one, &after) <= 0)
            continue;
        give(p, one->e);
        given++;
    }
    if (i < p->n && given)
        next = page_cursor_make(w->arena, p->page.tag,
                                key_of(w->arena, &p->all[turn > 0 ? i - 1 : p->n - i]));
    items_end(&w->out, p->n, next);
    return true;
}

static bool render(struct work *w)
{
    struct pass p = {
        .w = w, .v = view_enter(w->reader), .page = *(const struct items_page *)w->args};
    view_each(p.v, ENTITY_ROUTE, collect, &p);
    view_each(p.v, ENTITY_REGISTERED_MODEL, merge, &p);
    while (p.at < p.stored_count)
        note(&p, p.stored[p.at++]);
    bool ok = put_page(&p);
    view_leave(w->reader);
    free(p.all);
    free(p.stored);
    return ok;
}

void routes_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct items_page *page = arena_zero(c.arena, sizeof *page);
    if (!items_page_open(page, &c.q, "routes", "route", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    const struct view *v = view_enter(c.reader);
    size_t n = view_count(v, ENTITY_ROUTE) + view_count(v, ENTITY_REGISTERED_MODEL);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, render, page);
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
