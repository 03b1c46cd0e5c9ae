#include "registry/cursor.h"
#include "registry/match.h"
#include "registry/query.h"
#include "registry/view.h"

#include <string.h>

/* A page of registered models in the making. They lie in the index by namespace and name. Within
 * one namespace that is the order asked for; across all of them (`*`) it is the order too: by
 * namespace. */
struct names_pass {
    const struct registered_model_query *query;
    const struct label_literal *labels;
    const char *q;
    const char *after_name, *after_ns; /* NULL: from the start */
    struct registered_model_page *out;
    uint64_t beyond;
};

static bool matches(const struct names_pass *p, const struct registered_model *r)
{
    static const char *const names[2] = {"description", "labels"};
    const struct registered_model_query *q = p->query;
    struct slice parts[2];
    if (strcmp(q->ns, "*") != 0 && strcmp(q->ns, r->entity.ns) != 0)
        return false;
    if (!grants_allow(q->grants, r->entity.ns, r->entity.id, ACTION_BIT(ACTION_READ)))
        return false;
    if (!p->q && !q->n_labels)
        return true;
    if (!scan_pick((struct slice){r->entity.json, r->entity.json_len}, names, 2, parts))
        return false;
    size_t len = p->q ? strlen(p->q) : 0;
    return (!p->q || text_contains(r->entity.id, strlen(r->entity.id), p->q, len) ||
            literal_contains(parts[0], p->q, len)) &&
           labels_match(parts[1], p->labels, q->n_labels);
}

static bool is_beyond(const struct names_pass *p, const struct registered_model *r)
{
    if (!p->after_name)
        return true;
    int order = strcmp(r->entity.ns, p->after_ns);
    if (order == 0)
        order = strcmp(r->entity.id, p->after_name);
    return p->query->descending ? order < 0 : order > 0;
}

static void consider(struct names_pass *p, const struct registered_model *r)
{
    if (!matches(p, r))
        return;
    p->out->total++;
    if (!is_beyond(p, r))
        return;
    if (p->out->n < p->query->limit)
        p->out->items[p->out->n++] = r;
    p->beyond++;
}

static void walk(struct names_pass *p, const struct directory *d)
{
    struct position at = {p->query->descending ? d->n : 0, 0};
    if (p->query->descending) {
        while (position_back(d, &at))
            consider(p, registered_model_of(directory_at(d, at)));
        return;
    }
    for (; position_valid(d, at); position_next(d, &at))
        consider(p, registered_model_of(directory_at(d, at)));
}

bool query_registered_models(const struct view *v, const struct registered_model_query *q,
                             struct arena *a, struct registered_model_page *out, struct err *e)
{
    struct names_pass p = {.query = q, .out = out};
    *out = (struct registered_model_page){0};
    if (q->after && !name_cursor_read(q->after, q->descending, a, &p.after_name, &p.after_ns, e))
        return false;
    p.labels = label_literals(q->labels, q->n_labels, a);
    p.q = q->q && *q->q ? lower_text(q->q, a) : NULL;
    out->items = arena_zero(a, (q->limit + 1) * sizeof *out->items);
    walk(&p, v->index[INDEX_REGISTERED_MODELS]);
    if (out->n && p.beyond > out->n) {
        const struct registered_model *last = out->items[out->n - 1];
        out->next = name_cursor_write(q->descending, last->entity.id, last->entity.ns, a);
    }
    return true;
}
