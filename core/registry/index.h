/* index: entities in order, in chunks that are copied on write. Room: registry.
 * Threads: changing is [engine]; a published directory is immutable, [any].
 *
 * A directory is an array of chunks, a chunk an array of up to CHUNK_MAX entities. Both carry the
 * generation that made them: those of the current one belong to the head alone and change in place,
 * older ones are shared with views and are copied first. What a generation made and what it
 * replaced is listed, so that a publish retires the replaced and a revert frees the made. */
#ifndef PADDOCK_REGISTRY_INDEX_H
#define PADDOCK_REGISTRY_INDEX_H

#include "registry/entity.h"
#include "registry/row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_MAX ROWS_MAX

struct chunk {
    uint64_t born; /* generation */
    size_t n;
    const struct entity *items[CHUNK_MAX];
    struct model_rows rows[]; /* one in a directory with rows, else none */
};

struct directory {
    uint64_t born;
    size_t n, total; /* chunks (none is empty), entities */
    bool rows;       /* its entities are models, and a row lies beside each */
    struct chunk *chunks[];
};

/* What an index is searched by: the parts of an entity's place in its order. */
struct index_key {
    const char *ns, *first, *second;
    uint64_t uid;
    enum entity_kind kind;
};
/* Order of a key to an entity: <0, 0, >0. */
typedef int index_order(const struct index_key *key, const struct entity *e);

struct pointers {
    void **list;
    size_t n, cap;
};

struct generation {
    uint64_t number;
    struct pointers made;     /* in this generation: chunks, directories, entities */
    struct pointers replaced; /* no longer reached by the head */
};
void pointers_add(struct pointers *p, void *object);

/* A place in a directory; {0, 0} is the first, at the end chunk == n. */
struct position {
    size_t chunk, at;
};

struct directory *directory_new(struct generation *g, bool rows) __attribute__((returns_nonnull));
/* The first entity that is not before the key. */
struct position directory_seek(const struct directory *d, index_order *order,
                               const struct index_key *key);
static inline bool position_valid(const struct directory *d, struct position p)
{
    return p.chunk < d->n;
}
static inline const struct entity *directory_at(const struct directory *d, struct position p)
{
    return d->chunks[p.chunk]->items[p.at];
}
void position_next(const struct directory *d, struct position *p);
/* Step back; false (and unchanged) at the first. From the end it goes to the last. */
bool position_back(const struct directory *d, struct position *p);
/* The entity that equals the key, or NULL. */
const struct entity *directory_find(const struct directory *d, index_order *order,
                                    const struct index_key *key);

/* Put an entity at its key's place, replacing what equals it; returns what was replaced, or NULL.
 */
const struct entity *index_put(struct directory **d, struct generation *g, index_order *order,
                               const struct index_key *key, const struct entity *e);
/* Take out what equals the key; returns it, or NULL. */
const struct entity *index_remove(struct directory **d, struct generation *g, index_order *order,
                                  const struct index_key *key);

#endif
