/* snapshot: an answer, copied to be compared with later ones. Plugin code of the test
 * "integration". Threads: pure, [any]. */
#ifndef PADDOCK_PLUGINS_SNAPSHOT_H
#define PADDOCK_PLUGINS_SNAPSHOT_H

#include "why.h"

#include <paddock/plugin.h>

struct snapshot {
    paddock_tensor *outputs; /* with names and data of their own; BYTES as well */
    size_t n;
};

/* False, with an empty snapshot, without memory. Free with snapshot_release(). */
bool snapshot_take(struct snapshot *s, const paddock_answer *a);
void snapshot_release(struct snapshot *s);

/* Is the answer the same, numbers within `tolerance` (absolute and relative, added)? Else `why`
 * says where not. */
bool snapshot_same(const struct snapshot *s, const paddock_host *h, const paddock_answer *a,
                   double tolerance, struct why *why);
/* The same of row 0 of the answer and row `row` of the snapshot, for all outputs whose first extent
 * is `rows` in the snapshot and 1 in the answer. */
bool snapshot_same_row(const struct snapshot *s, const paddock_host *h, size_t row, size_t rows,
                       const paddock_answer *a, double tolerance, struct why *why);

#endif
