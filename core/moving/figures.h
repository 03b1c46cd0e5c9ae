/* figures: which of the figures of a store that nodes share are exported. Room: moving. Threads:
 * one owner.
 *
 * Each node keeps rows of the same figures, those of all nodes, in its own place, and one of them
 * is enough: that which has the most. They leave as rows of a node that is alone, with the position
 * of the exported record log that they have. */
#ifndef PADDOCK_MOVING_FIGURES_H
#define PADDOCK_MOVING_FIGURES_H

#include "store/nodes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct figures {
    bool shared; /* else everything is exported as it is */
    size_t own;  /* place of the directory that is exported */
    char space[STORE_SPACE_SIZE];
    uint64_t position; /* of its log, up to which they have it */
};

bool figures_choose(struct figures *f, struct store *s, struct err *e) MUST_CHECK;
/* A record of series that is about to leave: false, it stays. Its key and data may become others,
 * in the arena. */
bool figures_record(const struct figures *f, struct arena *a, struct series_record *r);
/* The same of a mark. */
bool figures_mark(const struct figures *f, struct arena *a, struct series_mark *m);

#endif
