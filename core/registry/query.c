/* Lists. A page is made by one pass over the models concerned: what passes the filters is counted,
 * what lies beyond the cursor competes for the page in a heap whose root is the worst of the best.
 * The key of the order is the sort value and then the id, so it is never a draw and a cursor is
 * exact: what was there all the time is given once, whatever came or went between two pages. */
#include "registry/query.h"

#include "registry/cursor.h"
#include "registry/match.h"
#include "registry/view.h"
#include "base/mem.h"

#include <string.h>

#define AHEAD 8 /* models whose memory is asked for in advance */

/* A page in the making. */
struct pass {
    const struct model_query *query;
    struct match match;
    struct sort_key after; /* of the cursor */
    bool has_after;
    bool by_place; /* models come in the order of ids asked for: what comes later loses a draw */
    bool ordered;  /* they come in the order asked for altogether */
    uint64_t edge; /* by_place: edge_of() the cursor */
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
        sift_up(p, p->n - 1);
    } else if (p->cap && compare(p, key, &p->heap[0]) < 0) {
        p->heap[0] = *key;
        sift_down(p, 0, p->n);
    }
}

/* Is this prefix alone enough to be kept off the page by `to`? Equal ones are not. */
static bool prefix_loses(const struct pass *p, uint64_t prefix, const struct sort_key *to)
{
    return p->query->descending ? prefix < to->prefix : prefix > to->prefix;
}

/* In a walk by place: does it lie beyond the cursor, as far as the id decides that? */
static bool place_is_beyond(const struct pass *p, uint64_t place)
{
    return !p->has_after || (p->query->descending ? place < p->edge : place >= p->edge);
}

/* Drop a match before the cursor, or count one beyond it that cannot be on the page, without a
 * visit to it. */
static bool settled_by_row(struct pass *p, const struct model_rows *rows, size_t at, uint64_t place)
{
    uint64_t prefix;
    if (!sort_prefix_of(p->query->sort, rows, at, &prefix))
        return false;
    const bool by_place = p->by_place && sort_prefix_is_all(p->query->sort);
    if (p->has_after && prefix == p->after.prefix) {
        if (!by_place)
            return false;
        if (!place_is_beyond(p, place))
            return true;
    } else if (p->has_after && !prefix_loses(p, prefix, &p->after)) {
        return true;
    }
    if (p->n < p->cap ||
        !(prefix_loses(p, prefix, &p->heap[0]) || (by_place && prefix == p->heap[0].prefix)))
        return false;
    p->beyond++;
    return true;
}

/* A match, in an order that is not that of the walk. */
static void consider(struct pass *p, const struct chunk *c, size_t at, uint64_t place)
{
    if (settled_by_row(p, c->rows, at, place))
        return;
    struct sort_key key = sort_key_of_row(p->query->sort, c->rows, at, model_of(c->items[at]));
    key.place = p->by_place ? place : 0;
    if (p->has_after && compare(p, &key, &p->after) <= 0)
        return;
    p->beyond++;
    compete(p, &key);
}

/* A match in a walk in the order asked for: the first ones beyond the cursor are the page. */
static void append(struct pass *p, const struct model *m, uint64_t place)
{
    if (!place_is_beyond(p, place))
        return;
    p->beyond++;
    if (p->n < p->cap)
        p->heap[p->n++] = sort_key_of(p->query->sort, m);
}

/* --- the models concerned --- */

/* A sort by name looks at the name of each match. */
static ALWAYS_INLINE void prefetch(const struct chunk *c, const uint8_t *places, size_t n, size_t i)
{
    if (i < n) {
        __builtin_prefetch(c->items[places[i]]);
        __builtin_prefetch((const char *)c->items[places[i]] + 64);
    }
}

static uint64_t place_of(struct position p)
{
    return p.chunk * CHUNK_MAX + p.at + 1;
}

/* Places [from, to) of chunk number `number`, in either direction. */
static void walk_chunk(struct pass *p, const struct chunk *c, size_t number, size_t from, size_t to)
{
    uint8_t places[CHUNK_MAX];
    const size_t n = match_chunk(&p->match, c, from, to, places);
    p->total += n;
    for (size_t i = 0; i < n; i++) {
        const size_t at = places[p->query->descending ? n - 1 - i : i];
        const uint64_t place = place_of((struct position){number, at});
        if (p->query->sort == SORT_NAME && !p->query->descending)
            prefetch(c, places, n, i + AHEAD);
        if (p->ordered)
            append(p, model_of(c->items[at]), place);
        else
            consider(p, c, at, place);
    }
}

/* The places [from, to) of the index by id. Descending, the walk goes backwards: ids often grow
 * with time, and a walk towards ever better models would bring each of them onto the page for a
 * moment. */
static void walk_rows(struct pass *p, const struct directory *d, struct position from,
                      struct position to)
{
    size_t last = to.at ? to.chunk + 1 : to.chunk; /* chunks [from.chunk, last) */
    for (size_t i = from.chunk; i < last; i++) {
        size_t chunk = p->query->descending ? last - 1 - (i - from.chunk) : i;
        const struct chunk *c = d->chunks[chunk];
        const size_t next = p->query->descending ? chunk - 1 : chunk + 1; /* wraps below 0 */
        if (next >= from.chunk && next < last)
            match_prefetch(&p->match, d->chunks[next]);
        walk_chunk(p, c, chunk, chunk == from.chunk ? from.at : 0,
                   chunk == to.chunk ? to.at : c->n);
    }
}

/* The versions of one name have no rows of their own in order: they are made, a chunk at a time. */
struct versions {
    struct pass *pass;
    struct chunk *chunk;
};

static bool visit(const struct model *m, void *ctx)
{
    const struct versions *v = ctx;
    rows_set(v->chunk->rows, v->chunk->n, m);
    v->chunk->items[v->chunk->n++] = &m->entity;
    if (v->chunk->n == CHUNK_MAX) {
        walk_chunk(v->pass, v->chunk, 0, 0, CHUNK_MAX);
        v->chunk->n = 0;
    }
    return true;
}

static void walk_versions(struct pass *p, const struct view *v, struct arena *a)
{
    struct versions versions = {
        p, arena_zero(a, sizeof *versions.chunk + sizeof *versions.chunk->rows)};
    view_versions(v, p->query->ns, p->query->name, visit, &versions);
    walk_chunk(p, versions.chunk, 0, 0, versions.chunk->n);
}

static struct position seek(const struct directory *ids, const char *ns, const char *id)
{
    struct index_key key = {.ns = ns, .first = id};
    return directory_seek(ids, view_order(INDEX_MODELS), &key);
}

/* The place where, among equal values, what is beyond the cursor begins (descending: ends). */
static uint64_t edge_of(const struct pass *p, const struct directory *ids)
{
    const struct position at = seek(ids, p->query->ns, p->after.id);
    uint64_t edge = place_of(at);
    if (position_valid(ids, at) && strcmp(directory_at(ids, at)->id, p->after.id) == 0 &&
        strcmp(directory_at(ids, at)->ns, p->query->ns) == 0) {
        int order = strcmp(p->query->ns, p->after.ns);
        edge += p->query->descending ? order < 0 : order <= 0;
    }
    return edge;
}

static void walk(struct pass *p, const struct view *v, struct arena *a)
{
    const struct model_query *q = p->query;
    const struct directory *ids = v->index[INDEX_MODELS];
    if (strcmp(q->ns, "*") == 0) {
        walk_rows(p, ids, (struct position){0, 0}, (struct position){ids->n, 0});
    } else if (q->name) {
        walk_versions(p, v, a);
    } else {
        p->by_place = true;
        p->ordered = q->sort == SORT_MODEL_ID;
        if (p->has_after)
            p->edge = edge_of(p, ids);
        /* No namespace has a character below the 1 appended: that is the place after all of it. */
        walk_rows(p, ids, seek(ids, q->ns, ""), seek(ids, arena_printf(a, "%s\001", q->ns), ""));
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
