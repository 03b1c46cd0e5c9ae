/* cursor: the orders of a list, and the key where a page ended, as opaque text. Room: registry.
 * Threads: pure, [any]. */
#ifndef PADDOCK_REGISTRY_CURSOR_H
#define PADDOCK_REGISTRY_CURSOR_H

#include "base/arena.h"
#include "registry/query.h"
#include "registry/row.h"

#include <stdbool.h>
#include <stdint.h>

/* What a model is sorted by: the value, then its id, then its namespace. */
struct sort_key {
    uint64_t prefix;     /* a smaller one comes first, equal ones are left to `text` */
    const char *text;    /* name, version or id; NULL for numbers, which `prefix` holds in full */
    const char *id, *ns; /* NULL: those of the model, which was not visited yet */
    const struct model *model; /* NULL in a cursor */
    uint64_t place; /* among models in the order of id and namespace: says what those would, without
                     * a visit; 0: not known */
};

struct sort_key sort_key_of(enum model_sort sort, const struct model *m);
/* The same from its row, number `at`, without a visit to the model where the order allows. */
struct sort_key sort_key_of_row(enum model_sort sort, const struct model_rows *rows, size_t at,
                                const struct model *m);
/* The key's prefix from the row, without a visit to the model; false if the order needs one. */
bool sort_prefix_of(enum model_sort sort, const struct model_rows *rows, size_t at,
                    uint64_t *prefix);
/* Is the prefix all of the value? Then equal ones differ by id alone. */
bool sort_prefix_is_all(enum model_sort sort);
int sort_key_compare(enum model_sort sort, const struct sort_key *a, const struct sort_key *b);

const char *cursor_write(enum model_sort sort, bool descending, const struct sort_key *key,
                         struct arena *a);
/* ERR_INVALID unless it was written for the same order. */
bool cursor_read(const char *text, enum model_sort sort, bool descending, struct arena *a,
                 struct sort_key *out, struct err *e) MUST_CHECK;

/* The cursor of a list of registered models: the name and namespace last seen. */
const char *name_cursor_write(bool descending, const char *name, const char *ns, struct arena *a);
bool name_cursor_read(const char *text, bool descending, struct arena *a, const char **name,
                      const char **ns, struct err *e) MUST_CHECK;

#endif
