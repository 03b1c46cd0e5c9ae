/* query: filtered, sorted pages of models and registered models from a view. Room: registry.
 * Threads: pure, [any] inside an epoch. Cost: one pass over the namespace's models (prefetched), or
 * over one name's when the filter names it. */
#ifndef PADDOCK_REGISTRY_QUERY_H
#define PADDOCK_REGISTRY_QUERY_H

#include "base/arena.h"
#include "registry/grant.h"
#include "registry/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct label_filter {
    const char *key, *value;
};

enum model_sort {
    SORT_MODEL_ID,
    SORT_NAME,
    SORT_VERSION,
    SORT_CREATED_AT,
    SORT_UPDATED_AT,
    SORT_STATUS
};
/* -1 if `text` (without '-') is none. */
int model_sort_parse(const char *text);

struct model_query {
    const char *ns;    /* "*": all */
    unsigned statuses; /* bit per enum model_status; 0: any */
    const char *type, *sport, *deployment_target, *name, *alias, *source_digest, *training_run_id;
    const struct label_filter *labels;
    size_t n_labels;
    int64_t created_from, created_to; /* ms, from <= t < to; 0: open */
    const char *q; /* substring of id, name, description; ASCII case is ignored */
    enum model_sort sort;
    bool descending;
    size_t limit;
    const char
        *after; /* opaque text of the last key seen, as `next` gave it; NULL: from the start */
    const struct grants *grants; /* only what these may read; NULL: all */
};

struct model_page {
    const struct model **items; /* in the arena */
    size_t n;
    uint64_t total;   /* all that match, whatever the page */
    const char *next; /* opaque key to go on after, or NULL; in the arena */
};

/* False and ERR_INVALID for an `after` that is not one of ours. */
bool query_models(const struct view *v, const struct model_query *q, struct arena *a,
                  struct model_page *out, struct err *e) MUST_CHECK;

struct registered_model_query {
    const char *ns;
    const char *q;
    const struct label_filter *labels;
    size_t n_labels;
    bool descending; /* sorted by name */
    size_t limit;
    const char *after;
    const struct grants *grants; /* only what these may read; NULL: all */
};
struct registered_model_page {
    const struct registered_model **items;
    size_t n;
    uint64_t total;
    const char *next;
};
bool query_registered_models(const struct view *v, const struct registered_model_query *q,
                             struct arena *a, struct registered_model_page *out, struct err *e)
    MUST_CHECK;

#endif
