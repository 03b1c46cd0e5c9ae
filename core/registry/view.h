/* view: the inside of a view, for this room's readers. Room: registry. Threads: immutable, [any].
 */
#ifndef PADDOCK_REGISTRY_VIEW_H
#define PADDOCK_REGISTRY_VIEW_H

#include "registry/index.h"
#include "registry/state.h"

#include <stdint.h>

/* The orders in which entities are kept. The first are each kind by (namespace, id), numbered as in
 * enum entity_kind. */
enum view_index {
    INDEX_MODELS = ENTITY_MODEL, /* with rows */
    INDEX_REGISTERED_MODELS = ENTITY_REGISTERED_MODEL,
    INDEX_VERSIONS = ENTITY_KIND_COUNT, /* models by (namespace, name, incarnation): oldest first */
    INDEX_NUMBERS,                      /* models by (namespace, name, version) */
    INDEX_TOKEN_KEYS,                   /* tokens by the key of their secret */
    INDEX_RUNNING, /* experiments that run, and no others, by (namespace, route, key) */
    INDEX_SERVING, /* models that are stable or canary, and no others, by (namespace, id) */
    INDEX_UIDS,    /* everything, by (incarnation, kind): a model's health has that of the model */
    INDEX_COUNT
};

struct view {
    uint64_t seq, number;
    struct directory *index[INDEX_COUNT];
};

/* The order of an index. */
index_order *view_order(int index);
/* The key of an entity in an index. */
struct index_key view_key(enum view_index index, const struct entity *e);
/* Is an entity of its kind in it as it is now? */
bool view_indexed(enum view_index index, const struct entity *e);

#endif
