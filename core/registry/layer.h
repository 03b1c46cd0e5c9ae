/* layer: flags that share units without overlapping. Room: registry. Threads: immutable, [any].
 *
 * One salt places a unit into one of BUCKETS; each flag of the layer has ranges of its own there,
 * which do not touch, and the holdout is a range that no flag may have. A unit outside of a flag's
 * ranges gets the flag's default, whatever its policy would say. */
#ifndef PADDOCK_REGISTRY_LAYER_H
#define PADDOCK_REGISTRY_LAYER_H

#include "registry/documents.h"

#define LAYER_RANGES_MAX 256

struct layer {
    struct document_head head; /* id is the layer's name */
    const char *description;
    const char *salt;    /* NULL: the name, see layer_salt() */
    const char *ranges;  /* JSON array of {"flag","from","to"}, of BUCKETS; `to` is not in it */
    const char *holdout; /* JSON {"from","to"}; NULL: none */
};

extern const struct field LAYER_FIELDS[];

enum layer_place {
    LAYER_IN,      /* in a range of the flag */
    LAYER_OUT,     /* in another's, or in nobody's */
    LAYER_HOLDOUT, /* kept from all flags */
};
/* What part of all units is in a range of the flag, 0..1. */
double layer_share(const struct document *d, const char *flag);
/* Where a unit is, as the flag sees it, and which of BUCKETS that is. */
enum layer_place layer_place(const struct document *d, const char *flag, const char *unit,
                             size_t len, uint32_t *bucket);

#endif
