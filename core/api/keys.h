/* keys: Idempotency-Key, for every operation that honours it. Room: api. Threads: [loop].
 *
 * A key is scoped by who asks, the namespace and the path. The answer that goes out is kept in
 * memory whatever made it (but not 429 and 5xx: those may be tried again); answers of commands and
 * of records are kept on disk too, in the same commit as what they tell of. */
#ifndef PADDOCK_API_KEYS_H
#define PADDOCK_API_KEYS_H

#include "api/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEEP_COMMAND_MS (24 * 3600 * 1000LL)
#define KEEP_RECORDS_MS (10 * 60 * 1000LL)

struct asked_key {
    const char *scoped; /* as the table and the store know it; NULL: the request has none */
    uint64_t body_hash;
    int64_t expires_ms;
};

/* A hash of a body that comes in pieces, the same however it is cut. */
struct body_hash {
    uint64_t hash;
    size_t used;
    char block[4096];
};
void body_hash_start(struct body_hash *h);
void body_hash_add(struct body_hash *h, const char *data, size_t len);
uint64_t body_hash_end(struct body_hash *h);

/* Does the request carry a key? */
bool keys_asked(const struct request *rq);
/* Check and claim the request's key, if its route honours keys and it has one. False: it has been
 * answered (the kept answer again, or why not). */
bool keys_begin(struct call *c, uint64_t body_hash, int64_t keep_ms, struct asked_key *out)
    MUST_CHECK;
/* Give an answer again. */
void keys_replay(struct request *rq, const struct kept_answer *kept);

#endif
