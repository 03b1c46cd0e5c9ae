#include "registry/query_documents.h"

#include "base/grow.h"
#include "registry/cursor.h"
#include "registry/match.h"
#include "registry/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A document that matches, and the text it is ordered by. */
struct found {
    const struct document *document;
    int64_t at; /* the time sorted by, or 0 */
};

struct pass {
    const struct document_query *query;
    const struct label_literal *labels;
    struct found *list;
    size_t n, cap;
};

/* --- filters --- */

static bool list_has(const char *values, const char *text)
{
    size_t len = strlen(text);
    while (*values) {
        size_t n = strcspn(values, ",");
        if (n == len && memcmp(values, text, n) == 0)
            return true;
        values += n + (values[n] == ',');
    }
    return false;
}

static bool filter_fits(const struct document_filter *f, const void *fields)
{
    const char *at = (const char *)fields + f->field->offset, *text;
    char number[24];
    int64_t n;
    switch (f->field->type) {
    case FIELD_BOOL: return strcmp(f->values, *(const bool *)at ? "true" : "false") == 0;
    case FIELD_INT:
        memcpy(&n, at, sizeof n);
        snprintf(number, sizeof number, "%" PRId64, n);
        return strcmp(f->values, number) == 0;
    case FIELD_ENUM: memcpy(&text, at, sizeof text); return text && list_has(f->values, text);
    default: memcpy(&text, at, sizeof text); return text && strcmp(f->values, text) == 0;
    }
}

static bool labels_fit(const struct pass *p, const struct document *d)
{
    static const char *const name = "labels";
    struct slice labels;
    return p->query->n_labels == 0 ||
           (scan_pick((struct slice){d->entity.json, d->entity.json_len}, &name, 1, &labels) &&
            labels_match(labels, p->labels, p->query->n_labels));
}

static bool matches(const struct pass *p, const struct document *d)
{
    const struct document_query *q = p->query;
    if (strcmp(q->ns, "*") != 0 && strcmp(q->ns, d->entity.ns) != 0)
        return false;
    for (size_t i = 0; i < q->n_filters; i++)
        if (!filter_fits(&q->filters[i], d->fields))
            return false;
    return labels_fit(p, d) && (!q->may_see || q->may_see(d, q->ctx));
}

static int64_t time_of(enum document_sort sort, const struct document *d)
{
    const struct document_head *head = d->fields;
    return sort == DOCUMENTS_BY_CREATED   ? head->created_at
           : sort == DOCUMENTS_BY_UPDATED ? head->updated_at
                                          : 0;
}

static bool consider(const struct entity *e, void *ctx)
{
    struct pass *p = ctx;
    const struct document *d = document_of(e);
    if (!matches(p, d))
        return true;
    GROW(p->list, p->n, p->cap);
    p->list[p->n++] = (struct found){d, time_of(p->query->sort, d)};
    return true;
}

/* --- order --- */

/* By time, then id, then namespace; times are 0 where the order is by id. */
static int compare(const struct found *a, const char *id, const char *ns, int64_t at)
{
    if (a->at != at)
        return a->at < at ? -1 : 1;
    int order = strcmp(a->document->entity.id, id);
    return order ? order : strcmp(a->document->entity.ns, ns);
}

static int ascending(const void *x, const void *y)
{
    const struct found *b = y;
    return compare(x, b->document->entity.id, b->document->entity.ns, b->at);
}

/* The key of a page's end: the time sorted by, a slash (which no id has first), and the id. */
static const char *next_key(const struct document_query *q, const struct found *last,
                            struct arena *a)
{
    const char *key = arena_printf(a, "%" PRId64 "/%s", last->at, last->document->entity.id);
    return name_cursor_write(q->descending, key, last->document->entity.ns, a);
}

struct after {
    int64_t at;
    const char *id, *ns; /* id NULL: from the start */
};

static bool read_after(const struct document_query *q, struct arena *a, struct after *out,
                       struct err *e)
{
    const char *key;
    char *end;
    *out = (struct after){0};
    if (!q->after)
        return true;
    if (!name_cursor_read(q->after, q->descending, a, &key, &out->ns, e))
        return false;
    out->at = strtoll(key, &end, 10);
    if (*end != '/')
        return fail(e, &ERR_INVALID, "the cursor belongs to another list");
    out->id = end + 1;
    return true;
}

static bool is_beyond(const struct document_query *q, const struct found *f,
                      const struct after *after)
{
    if (!after->id)
        return true;
    int order = compare(f, after->id, after->ns, after->at);
    return q->descending ? order < 0 : order > 0;
}

static void fill_page(const struct pass *p, const struct after *after, struct arena *a,
                      struct document_page *out)
{
    const struct document_query *q = p->query;
    const struct found *last = NULL;
    for (size_t i = 0; i < p->n; i++) {
        const struct found *f = &p->list[q->descending ? p->n - 1 - i : i];
        if (!is_beyond(q, f, after))
            continue;
        if (out->n == q->limit) {
            out->next = last ? next_key(q, last, a) : NULL;
            return;
        }
        out->items[out->n++] = f->document;
        last = f;
    }
}

bool query_documents(const struct view *v, const struct document_query *q, struct arena *a,
                     struct document_page *out, struct err *e)
{
    struct pass p = {.query = q, .labels = label_literals(q->labels, q->n_labels, a)};
    struct after after;
    *out = (struct document_page){0};
    if (!read_after(q, a, &after, e))
        return false;
    view_each(v, q->type->kind, consider, &p);
    out->total = p.n;
    out->items = arena_zero(a, (q->limit + 1) * sizeof *out->items);
    if (p.n)
        qsort(p.list, p.n, sizeof *p.list, ascending);
    fill_page(&p, &after, a, out);
    free(p.list);
    return true;
}
