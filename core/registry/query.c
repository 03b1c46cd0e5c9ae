/* Lists. A page is made by one pass over the models concerned: what passes the filters is counted,
 * what lies beyond the cursor competes for the page in a heap whose root is the worst of the best.
 * The key of the order is the sort value and then the id, so it is never a draw and a cursor is
 * exact: what was there all the time is given once, whatever came or went between two pages. */
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
    struct sort_key after;   /* of the cursor */
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

/* Is this prefix alone enough to keep a model off the page? Equal ones are not. */
static bool prefix_loses(const struct pass *p, uint64_t prefix, const struct sort_key *to)
{
    return p->query->descending ? prefix < to->prefix : prefix > to->prefix;
}

/* Count a match that lies beyond the cursor but cannot be on the page, without a visit to it. */
static bool settled_by_row(struct pass *p, const struct model_row *row)
{
    uint64_t prefix;
    if (p->ordered && p->beyond > p->cap) { /* the page is full: so is all that follows beyond it */
        p->beyond++;
        return true;
    }
    if (!row || !sort_prefix_of(p->query->sort, row, &prefix))
        return false;
    if (p->has_after && prefix != p->after.prefix && !prefix_loses(p, prefix, &p->after))
        return true; /* before the cursor */
    if (p->n < p->cap || !prefix_loses(p, prefix, &p->heap[0]))
        return false;
    p->beyond++;
    return true;
}

/* A match; its row if it is at hand. */
static void consider(struct pass *p, const struct model_row *row, const struct model *m)
{
    p->total++;
    if (settled_by_row(p, row))
        return;
    struct sort_key key =
        row ? sort_key_of_row(p->query->sort, row, m) : sort_key_of(p->query->sort, m);
    if (p->has_after && compare(p, &key, &p->after) <= 0)
        return;
    p->beyond++;
    compete(p, &key);
}

/* --- the models concerned --- */

/* Ask for the memory that the filters will read of a model to come. */
static void prefetch(const struct pass *p, const struct model *m)
{
    __builtin_prefetch(m);
    __builtin_prefetch((const char *)m + 64);
    if (p->match.q)
        __builtin_prefetch(m + 1); /* its id */
}

/* Places [from, to) of a chunk with rows, in either direction. */
static void walk_chunk(struct pass *p, const struct chunk *c, size_t from, size_t to, bool back)
{
    bool visits = p->match.visit || p->query->sort == SORT_NAME;
    for (size_t i = 0; i < to - from; i++) {
        size_t at = back ? to - 1 - i : from + i;
        size_t ahead =
            back ? at - AHEAD : at + AHEAD; /* wraps below 0, then it is no place either */
        if (visits && ahead < c->n)
            prefetch(p, model_of(c->items[ahead]));
        const struct model *m = model_of(c->items[at]);
        if (match_row(&p->match, &c->rows[at], m))
            consider(p, &c->rows[at], m);
    }
}

/* The places [from, to) of the index by id. */
static void walk_rows(struct pass *p, const struct directory *d, struct position from,
                      struct position to, bool back)
{
    size_t last = to.at ? to.chunk + 1 : to.chunk; /* chunks [from.chunk, last) */
    for (size_t i = from.chunk; i < last; i++) {
        size_t chunk = back ? last - 1 - (i - from.chunk) : i;
        const struct chunk *c = d->chunks[chunk];
        walk_chunk(p, c, chunk == from.chunk ? from.at : 0, chunk == to.chunk ? to.at : c->n, back);
    }
}

/* The versions of one name: few, so they are simply visited. */
static bool visit(const struct model *m, void *ctx)
{
    struct pass *p = ctx;
    if (match_model(&p->match, m))
        consider(p, NULL, m);
    return true;
}

static struct position seek(const struct directory *ids, const char *ns)
{
    struct index_key key = {.ns = ns, .first = ""};
    return directory_seek(ids, view_order(INDEX_MODELS), &key);
}

static void walk(struct pass *p, const struct view *v, struct arena *a)
{
    const struct model_query *q = p->query;
    const struct directory *ids = v->index[INDEX_MODELS];
    if (strcmp(q->ns, "*") == 0) {
        walk_rows(p, ids, (struct position){0, 0}, (struct position){ids->n, 0}, false);
    } else if (q->name) {
        view_versions(v, q->ns, q->name, visit, p);
    } else {
        /* No namespace has a character below the 1 appended: that is the place after all of it.
         * Descending, the walk goes backwards: ids often grow with time, and a walk towards ever
         * better models would bring each of them onto the page for a moment. */
        p->ordered = q->sort == SORT_MODEL_ID;
        walk_rows(p, ids, seek(ids, q->ns), seek(ids, arena_printf(a, "%s\001", q->ns)),
                  q->descending);
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
