#include "registry/index.h"

#include "base/grow.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_LOW 32 /* a chunk with fewer looks for a neighbour to join */

void pointers_add(struct pointers *p, void *object)
{
    GROW(p->list, p->n, p->cap);
    p->list[p->n++] = object;
}

/* --- reading --- */

/* In the chunk, the first item that is not before the key. */
static size_t chunk_seek(const struct chunk *c, index_order *order, const struct index_key *key)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (order(key, c->items[mid]) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct position directory_seek(const struct directory *d, index_order *order,
                               const struct index_key *key)
{
    size_t low = 0, high = d->n; /* the first chunk whose last item is not before the key */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct chunk *c = d->chunks[mid];
        if (order(key, c->items[c->n - 1]) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return (struct position){low, low < d->n ? chunk_seek(d->chunks[low], order, key) : 0};
}

void position_next(const struct directory *d, struct position *p)
{
    if (++p->at >= d->chunks[p->chunk]->n)
        *p = (struct position){p->chunk + 1, 0};
}

bool position_back(const struct directory *d, struct position *p)
{
    if (p->at > 0) {
        p->at--;
        return true;
    }
    if (p->chunk == 0)
        return false;
    *p = (struct position){p->chunk - 1, d->chunks[p->chunk - 1]->n - 1};
    return true;
}

const struct entity *directory_find(const struct directory *d, index_order *order,
                                    const struct index_key *key)
{
    struct position p = directory_seek(d, order, key);
    if (!position_valid(d, p))
        return NULL;
    const struct entity *e = directory_at(d, p);
    return order(key, e) == 0 ? e : NULL;
}

/* --- writing --- */

static struct chunk *chunk_new(struct generation *g, bool rows)
{
    /* Zero, because a pass compares a chunk's rows in vectors, those past its end too. */
    struct chunk *c = mem_zero(1, sizeof *c + (rows ? sizeof *c->rows : 0));
    c->born = g->number;
    pointers_add(&g->made, c);
    return c;
}

/* Move `n` places from one chunk to another, or within one. */
static void move(struct chunk *to, size_t to_at, const struct chunk *from, size_t from_at, size_t n,
                 bool rows)
{
    memmove(to->items + to_at, from->items + from_at, n * sizeof *to->items);
    if (rows)
        rows_move(to->rows, to_at, from->rows, from_at, n);
}

static void set(struct chunk *c, size_t at, const struct entity *e, bool rows)
{
    c->items[at] = e;
    if (rows)
        rows_set(c->rows, at, model_of(e));
}

static struct directory *directory_alloc(struct generation *g, size_t cap)
{
    struct directory *d = mem_alloc(sizeof *d + cap * sizeof *d->chunks);
    d->born = g->number;
    pointers_add(&g->made, d);
    return d;
}

struct directory *directory_new(struct generation *g, bool rows)
{
    struct directory *d = directory_alloc(g, 0);
    d->n = d->total = 0;
    d->rows = rows;
    return d;
}

/* A directory of this generation with a gap of `gap` chunks before `at`, or without `-gap` chunks
 * from `at`. */
static void reshape(struct directory **d, struct generation *g, size_t at, int gap)
{
    struct directory *old = *d;
    if (gap == 0 && old->born == g->number)
        return;
    struct directory *new = directory_alloc(g, old->n + (size_t)(gap > 0 ? gap : 0));
    size_t skip = (size_t)(gap < 0 ? -gap : 0);
    new->n = gap < 0 ? old->n - skip : old->n + (size_t)gap;
    new->total = old->total;
    new->rows = old->rows;
    if (at)
        memcpy(new->chunks, old->chunks, at * sizeof *new->chunks);
    size_t rest = old->n - at - skip;
    if (rest)
        memcpy(new->chunks + at + (gap > 0 ? gap : 0), old->chunks + at + skip,
               rest * sizeof *new->chunks);
    pointers_add(&g->replaced, old);
    *d = new;
}

/* The chunk at `at`, of this generation, so that it may change. */
static struct chunk *own_chunk(struct directory **d, struct generation *g, size_t at)
{
    struct chunk *c = (*d)->chunks[at];
    reshape(d, g, 0, 0);
    if (c->born == g->number)
        return c;
    struct chunk *copy = chunk_new(g, (*d)->rows);
    copy->n = c->n;
    move(copy, 0, c, 0, c->n, (*d)->rows);
    pointers_add(&g->replaced, c);
    (*d)->chunks[at] = copy;
    return copy;
}

static void chunk_insert(struct chunk *c, size_t at, const struct entity *e, bool rows)
{
    move(c, at + 1, c, at, c->n - at, rows);
    set(c, at, e, rows);
    c->n++;
}

/* Make room in the full chunk where `p` lies; `p` then points into the right half. */
static void split(struct directory **d, struct generation *g, struct position *p)
{
    bool last = p->chunk + 1 == (*d)->n;
    struct chunk *left = own_chunk(d, g, p->chunk);
    /* Entities that come in order, as at start, leave full chunks behind. */
    size_t keep = last && p->at == CHUNK_MAX ? CHUNK_MAX : CHUNK_MAX / 2;
    reshape(d, g, p->chunk + 1, 1);
    struct chunk *right = chunk_new(g, (*d)->rows);
    right->n = left->n - keep;
    move(right, 0, left, keep, right->n, (*d)->rows);
    left->n = keep;
    (*d)->chunks[p->chunk + 1] = right;
    if (p->at >= keep)
        *p = (struct position){p->chunk + 1, p->at - keep};
}

static void insert(struct directory **d, struct generation *g, struct position p,
                   const struct entity *e)
{
    if ((*d)->n == 0) {
        reshape(d, g, 0, 1);
        (*d)->chunks[0] = chunk_new(g, (*d)->rows);
        p = (struct position){0, 0};
    } else if (p.chunk == (*d)->n) { /* after the last of all */
        p.chunk--;
        p.at = (*d)->chunks[p.chunk]->n;
    }
    if ((*d)->chunks[p.chunk]->n == CHUNK_MAX)
        split(d, g, &p);
    chunk_insert(own_chunk(d, g, p.chunk), p.at, e, (*d)->rows);
    (*d)->total++;
}

const struct entity *index_put(struct directory **d, struct generation *g, index_order *order,
                               const struct index_key *key, const struct entity *e)
{
    struct position p = directory_seek(*d, order, key);
    const struct entity *there = position_valid(*d, p) ? directory_at(*d, p) : NULL;
    if (there && order(key, there) == 0) {
        set(own_chunk(d, g, p.chunk), p.at, e, (*d)->rows);
        return there;
    }
    insert(d, g, p, e);
    return NULL;
}

/* Drop the chunk at `at` from the directory. */
static void drop_chunk(struct directory **d, struct generation *g, size_t at)
{
    pointers_add(&g->replaced, (*d)->chunks[at]);
    reshape(d, g, at, -1);
}

/* Join the chunk with the one after it if both are small. */
static void join(struct directory **d, struct generation *g, size_t at)
{
    struct chunk *left = (*d)->chunks[at];
    if (left->n == 0) {
        drop_chunk(d, g, at);
        return;
    }
    if (left->n >= CHUNK_LOW || at + 1 == (*d)->n)
        return;
    const struct chunk *right = (*d)->chunks[at + 1];
    if (left->n + right->n > CHUNK_MAX * 3 / 4)
        return;
    left = own_chunk(d, g, at);
    move(left, left->n, right, 0, right->n, (*d)->rows);
    left->n += right->n;
    drop_chunk(d, g, at + 1);
}

const struct entity *index_remove(struct directory **d, struct generation *g, index_order *order,
                                  const struct index_key *key)
{
    struct position p = directory_seek(*d, order, key);
    const struct entity *there = position_valid(*d, p) ? directory_at(*d, p) : NULL;
    if (!there || order(key, there) != 0)
        return NULL;
    struct chunk *c = own_chunk(d, g, p.chunk);
    c->n--;
    move(c, p.at, c, p.at + 1, c->n - p.at, (*d)->rows);
    (*d)->total--;
    join(d, g, p.chunk);
    return there;
}
