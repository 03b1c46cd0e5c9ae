/* Lists. A page is made by one pass over the models concerned: what passes the filters is counted, what
 * lies beyond the cursor competes for the page in a heap whose root is the worst of the best. The key of
 * the order is the sort value and then the id, so it is never a draw and a cursor is exact: what was
 * there all the time is given once, whatever came or went between two pages. */
#include "registry/query.h"

#include "registry/cursor.h"
#include "registry/match.h"
#include "registry/view.h"

#include <string.h>

#define AHEAD 8 /* models whose memory is asked for in advance */

/* A page in the making. */
struct pass {
    const struct model_query *query;
    struct match match;
    struct sort_key after; /* of the cursor */
    bool has_after, ordered; /* ordered: models come in the order asked for */
    struct sort_key *heap;
    size_t n, cap;
    uint64_t total, beyond; /* matches; those after the cursor */
};

/* <0 if a comes before b in the order asked for. */
static int compare(const struct pass *p, const struct sort_key *a, const struct sort_key *b)
{
    int order = sort_key_compare(p->query->sort, a, b);
    return p->query->descending ? -order : order;
}

static void sift_up(struct pass *p, size_t i)
{
    struct sort_key key = p->heap[i];
    for (; i > 0; i = (i - 1) / 2) {
        size_t parent = (i - 1) / 2;
        if (compare(p, &p->heap[parent], &key) >= 0)
            break;
        p->heap[i] = p->heap[parent];
    }
    p->heap[i] = key;
}

static void sift_down(struct pass *p, size_t i, size_t n)
{
    struct sort_key key = p->heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare(p, &p->heap[child], &p->heap[child + 1]) < 0)
            child++;
        if (compare(p, &key, &p->heap[child]) >= 0)
            break;
        p->heap[i] = p->heap[child];
    }
    p->heap[i] = key;
}

static void compete(struct pass *p, const struct sort_key *key)
{
    if (p->n < p->cap) {
        p->heap[p->n++] = *key;
        if (!p->ordered)
            sift_up(p, p->n - 1);
    } else if (!p->ordered && p->cap && compare(p, key, &p->heap[0]) < 0) {
        p->heap[0] = *key;
        sift_down(p, 0, p->n);
    }
}

static void consider(struct pass *p, const struct model *m)
{
    if (!match_model(&p->match, m))
        return;
    p->total++;
    if (p->ordered && p->beyond > p->cap) {
        p->beyond++; /* the page is full, and so is all that follows beyond it */
        return;
    }
    struct sort_key key = sort_key_of(p->query->sort, m);
    if (p->has_after && compare(p, &key, &p->after) <= 0)
        return;
    p->beyond++;
    compete(p, &key);
}

/* --- the models concerned --- */

static bool in_range(const struct pass *p, const struct model *m)
{
    const struct model_query *q = p->query;
    return strcmp(m->entity.ns, q->ns) == 0 && (!q->name || strcmp(m->name, q->name) == 0);
}

static void prefetch(const struct entity *e)
{
    __builtin_prefetch(e);
    __builtin_prefetch((const char *)e + 64);
    __builtin_prefetch((const char *)e + 128);
}

static void walk_all(struct pass *p, const struct directory *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct chunk *c = d->chunks[i];
        for (size_t k = 0; k < c->n; k++) {
            if (k + AHEAD < c->n)
                prefetch(c->items[k + AHEAD]);
            consider(p, model_of(c->items[k]));
        }
    }
}

static void prefetch_at(const struct directory *d, struct position at, bool back)
{
    const struct chunk *c = d->chunks[at.chunk];
    size_t i = back ? at.at - AHEAD : at.at + AHEAD; /* wraps below 0, then it is no place either */
    if (i < c->n)
        prefetch(c->items[i]);
}

/* From `at` on, or before it, while models are of the range. */
static void walk_range(struct pass *p, const struct directory *d, struct position at, bool back)
{
    if (back ? !position_back(d, &at) : !position_valid(d, at))
        return;
    for (;;) {
        const struct model *m = model_of(directory_at(d, at));
        prefetch_at(d, at, back);
        if (!in_range(p, m))
            return;
        consider(p, m);
        if (!back)
            position_next(d, &at);
        if (back ? !position_back(d, &at) : !position_valid(d, at))
            return;
    }
}

/* The first place after all of a namespace: no namespace has a character below the 1 appended. */
static struct position end_of_namespace(const struct directory *d, const char *ns, struct arena *a)
{
    const char *next = arena_printf(a, "%s\001", ns);
    struct index_key key = {.ns = next, .first = ""};
    return directory_seek(d, VIEW_ORDERS[INDEX_MODELS], &key);
}

static void walk(struct pass *p, const struct view *v, struct arena *a)
{
    const struct model_query *q = p->query;
    const struct directory *ids = v->index[INDEX_MODELS], *names = v->index[INDEX_VERSIONS];
    struct index_key key = {.ns = q->ns, .first = q->name ? q->name : ""};
    if (strcmp(q->ns, "*") == 0) {
        walk_all(p, ids);
    } else if (q->name) {
        walk_range(p, names, directory_seek(names, VIEW_ORDERS[INDEX_VERSIONS], &key), false);
    } else {
        p->ordered = q->sort == SORT_MODEL_ID;
        bool back = p->ordered && q->descending;
        walk_range(p, ids,
                   back ? end_of_namespace(ids, q->ns, a)
                        : directory_seek(ids, VIEW_ORDERS[INDEX_MODELS], &key),
                   back);
    }
}

/* Sort what is in the heap, best first. */
static void heap_sort(struct pass *p)
{
    for (size_t n = p->n; n > 1; n--) {
        struct sort_key worst = p->heap[0];
        p->heap[0] = p->heap[n - 1];
        p->heap[n - 1] = worst;
        sift_down(p, 0, n - 1);
    }
}

bool query_models(const struct view *v, const struct model_query *q, struct arena *a,
                  struct model_page *out, struct err *e)
{
    struct pass p = {.query = q, .cap = q->limit, .has_after = q->after != NULL};
    *out = (struct model_page){0};
    if (q->after && !cursor_read(q->after, q->sort, q->descending, a, &p.after, e))
        return false;
    match_init(&p.match, q, a);
    p.heap = arena_zero(a, (q->limit + 1) * sizeof *p.heap);
    walk(&p, v, a);
    if (!p.ordered)
        heap_sort(&p);
    out->items = arena_zero(a, (p.n + 1) * sizeof *out->items);
    for (size_t i = 0; i < p.n; i++)
        out->items[i] = p.heap[i].model;
    out->n = p.n;
    out->total = p.total;
    if (p.n && p.beyond > p.n)
        out->next = cursor_write(q->sort, q->descending, &p.heap[p.n - 1], a);
    return true;
}
