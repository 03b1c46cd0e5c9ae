/* What a change of a route would do to whom. */
#include "base/json.h"
#include "registry/decide.h"
#include "registry/route.h"

#include <string.h>

/* A route as it is, or would be. */
struct side {
    const struct model_route *route;
    const struct route_plan *plan;
};

/* Of each model: how many places it serves. */
struct tally {
    struct tally_row {
        const struct model *model; /* NULL: nobody serves */
        uint32_t before, after;
    } rows[2 * SHARES_MAX + 2];
    size_t n;
};

static struct tally_row *row_of(struct tally *t, const struct model *m)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].model == m)
            return &t->rows[i];
    t->rows[t->n] = (struct tally_row){.model = m};
    return &t->rows[t->n++];
}

/* Why its shares cannot be told from its document; NULL: they can. */
static const char *unforeseen(const struct model_route *r)
{
    return r->killed ? NULL
           : r->flag ? "a flag says who gets what; simulate the flag"
           : r->strategy && strcmp(r->strategy, STRATEGY_WEIGHTED) != 0
               ? "a strategy gives the weights as it goes"
               : NULL;
}

static const struct model *fallback_of(const struct view *v, const char *ns,
                                       const struct route_plan *p)
{
    for (size_t i = 0; i < p->fallback_count; i++) {
        const struct model *m = route_model(v, ns, p, p->fallback[i]);
        if (route_serves(m))
            return m;
    }
    return NULL;
}

/* Who serves from place `at` on, and up to where. */
static const struct model *serves(const struct view *v, const char *ns, const struct side *s,
                                  uint32_t at, uint32_t *until)
{
    const struct route_plan *p = s->plan;
    bool own = !s->route->killed && s->route->strategy;
    const struct model *m = NULL;
    *until = BUCKETS;
    for (size_t i = 0; own && i < p->share_count; i++) {
        const struct share *range = &p->shares[i];
        if (range->from > at && range->from < *until)
            *until = range->from;
        if (at < range->from || at >= range->to)
            continue;
        *until = range->to;
        if (range->arm < p->arm_count)
            m = route_model(v, ns, p, p->arms[range->arm].reference);
    }
    return route_serves(m) ? m : fallback_of(v, ns, p);
}

/* Places that change their model. With another salt everybody falls anew: then what is expected. */
static double compare(const struct view *v, const char *ns, const struct side *a,
                      const struct side *b, struct tally *t)
{
    uint32_t at = 0, moved = 0;
    double stay = 0;
    t->n = 0;
    while (at < BUCKETS) {
        uint32_t end_a, end_b;
        const struct model *before = serves(v, ns, a, at, &end_a);
        const struct model *after = serves(v, ns, b, at, &end_b);
        uint32_t end = end_a < end_b ? end_a : end_b;
        row_of(t, before)->before += end - at;
        row_of(t, after)->after += end - at;
        moved += before != after ? end - at : 0;
        at = end;
    }
    if (strcmp(route_salt(a->route), route_salt(b->route)) == 0)
        return (double)moved / BUCKETS;
    for (size_t i = 0; i < t->n; i++)
        stay += (double)t->rows[i].before / BUCKETS * t->rows[i].after / BUCKETS;
    return 1 - stay;
}

static void put_rows(struct bytes *b, const struct tally *t)
{
    json_key(b, "models");
    bytes_char(b, '[');
    for (size_t i = 0; i < t->n; i++) {
        bytes_text(b, i ? ",{" : "{");
        json_kv_string(b, "model_id", t->rows[i].model ? t->rows[i].model->entity.id : NULL);
        json_kv_number(b, "before_ratio", (double)t->rows[i].before / BUCKETS);
        json_kv_number(b, "after_ratio", (double)t->rows[i].after / BUCKETS);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
}

static bool answer(struct command *c, struct head *h, const struct side *a, const struct side *b)
{
    struct bytes text = BYTES_INIT(1 << 20);
    struct tally *t = arena_zero(c->arena, sizeof *t);
    const char *why = unforeseen(b->route);
    why = why ? why : unforeseen(a->route);
    double moved = why ? 0 : compare(h->view, c->ns, a, b, t);
    bytes_char(&text, '{');
    json_kv_string(&text, "route", b->route->head.id);
    if (why)
        json_kv_raw(&text, "moved_ratio", NULL);
    else
        json_kv_number(&text, "moved_ratio", moved);
    json_kv_string(&text, "unforeseen", why);
    put_rows(&text, t);
    json_kv_raw(&text, "allocation", b->route->allocation);
    bytes_char(&text, '}');
    c->answer.revision = 0;
    bool ok = answer_text(c, 200, arena_copy(c->arena, text.data, text.len));
    bytes_release(&text);
    return ok;
}

bool route_preview(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct changes mine = {0};
    bool implied;
    const struct document *before =
        document_find(h->view, &ROUTE_TYPE, c->ns, c->id, c->arena, &implied);
    (void)out; /* nothing is to come of it */
    if (!document_patch(c, h, &mine, e))
        return false;
    if (!before) { /* or document_patch() had refused */
        changes_discard(&mine);
        return fail(e, &ERR_INTERNAL, "a route was changed that is not there");
    }
    const struct document *after = mine.n ? document_of(mine.list[0].after) : before;
    const struct side sides[] = {{route_of(before), route_plan_of(before)},
                                 {route_of(after), route_plan_of(after)}};
    bool ok = answer(c, h, &sides[0], &sides[1]);
    changes_discard(&mine);
    return ok;
}
