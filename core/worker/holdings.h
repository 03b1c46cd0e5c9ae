/* holdings: what this process holds, to see whether it grows. Room: worker. Threads: [any]. */
#ifndef PADDOCK_WORKER_HOLDINGS_H
#define PADDOCK_WORKER_HOLDINGS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct holdings {
    size_t threads, descriptors, bytes; /* bytes: of the heap; 0 under a sanitizer */
};

void holdings_take(struct holdings *h);
/* Did they grow from `before` to `after`, which are `rounds` rounds apart? Then `e` says what. Take
 * the first after some rounds: caches fill up in them. Less than a byte a round is no growth. */
bool holdings_grew(const struct holdings *before, const struct holdings *after, unsigned rounds,
                   struct err *e);

#endif
