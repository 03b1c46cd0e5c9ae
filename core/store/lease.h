/* lease: who holds one, and with which token. Room: store (its own use). Threads: pure.
 *
 * The rule in one place for all backends. A lease that ran out is nobody's, even if its last holder
 * comes back: it gets a new token, since others may have acted on its absence. */
#ifndef PADDOCK_STORE_LEASE_H
#define PADDOCK_STORE_LEASE_H

#include "store/store.h"

#include <stdbool.h>

struct lease_row {
    const char *holder; /* "": given up */
    uint64_t token;
    int64_t until; /* ms */
};

/* Answer `l` against what is stored (NULL: nothing). True when `next` has to be stored. */
bool lease_decide(const struct lease_row *stored, struct lease_request *l, int64_t now_ms,
                  struct lease_row *next);

#endif
