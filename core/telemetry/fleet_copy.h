/* fleet_copy: the rows of another node, model by model, as they become those of this one. Room:
 * telemetry, private. Threads: one owner, which may wait for the store. */
#ifndef PADDOCK_TELEMETRY_FLEET_COPY_H
#define PADDOCK_TELEMETRY_FLEET_COPY_H

#include "telemetry/fleet.h"

#include "base/arena.h"

struct copying {
    struct fleet *fleet;
    struct arena *arena;
    char to[STORE_SPACE_SIZE];
    uint64_t *uids;
    size_t n_uids, uids_cap;
    /* Of one model, in the arena: its row (none: it was deleted), then its slots, tier by tier. */
    struct series_record *records;
    size_t n, cap;
    size_t first[TIER_COUNT + 1]; /* of TIER_MINUTE and so on; the last: the end */
    const char *key;              /* of what is being read, in the new space */
    struct bytes row;
};

void copying_init(struct copying *c, struct fleet *f);
void copying_release(struct copying *c);
/* All models that a space has rows of. */
bool copying_list(struct copying *c, const char *from, struct err *e) MUST_CHECK;
/* All of a model, as it is at one moment. */
bool copying_read(struct copying *c, const char *from, uint64_t uid, struct err *e) MUST_CHECK;

#endif
