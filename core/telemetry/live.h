/* live: everything telemetry knows of one model. Room: telemetry. Threads: its lock, unless said
 * otherwise.
 *
 * A record is counted in exactly one open tally: that of the finest tier whose slots still reach
 * back to its timestamp. Closing a 5 s tally adds it to its encoded slot and to the open minute;
 * closing any other adds it to the encoded slots of its tier and of every coarser one, and to the
 * lifetime. So at any moment
 *
 *     what a tier has counted = its encoded slots + the open tallies of this tier and of finer ones
 *
 * however late or out of order records come. live.c says how that becomes durable. */
#ifndef PADDOCK_TELEMETRY_LIVE_H
#define PADDOCK_TELEMETRY_LIVE_H

#include "telemetry/payload.h"
#include "telemetry/ring.h"
#include "telemetry/slots.h"
#include "telemetry/tier.h"
#include "telemetry/words.h"
#include "base/mem.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Places for open tallies: 2 of 5 s, 2 of a minute, 1 of each coarser tier. */
#define OPEN_COUNT 7

struct open_tally {
    int64_t start;
    struct tally *tally; /* NULL: free */
};

/* Beside it where several nodes share the store (telemetry/fleet.h). What this node counts in
 * `open` does not go to the slots but to all nodes, itself included: it is cut off, is on its way,
 * and comes back as one more delta. So slots and lifetime are those of all nodes. */
struct live_fleet {
    struct open_tally shared[OPEN_COUNT]; /* deltas, as `open` where a node is alone */
    struct open_tally cut[OPEN_COUNT];    /* on their way */
    struct slots cut_slots[TIER_COUNT];
    struct slots waiting[TIER_COUNT]; /* left `open` before they were cut off */
    struct slot own;                  /* what this node alone has sent, ever; scale 0 */
    struct delta_at *row;             /* while a start loads: what its rows have of each place */
    size_t n_row;
    bool changed; /* since its rows were written */
    bool listed;  /* [writer] for the next cut */
};

struct live {
    /* What every record touches: two cache lines. */
    _Alignas(64) pthread_mutex_t lock;
    uint64_t uid;
    uint64_t position;        /* the last block that was counted */
    struct live_fleet *fleet; /* NULL: this node is alone */
    struct ring ring;
    struct open_tally open[OPEN_COUNT]; /* the first two: 5 s */

    struct slots tiers[TIER_COUNT]; /* TIER_6H: only what the store does not have */
    struct slots leaving;           /* TIER_6H slots that are being written to the store */
    struct slot lifetime;           /* one tally of scale 0: its buckets are powers of two */
    struct words errors, names;

    /* What the store has (telemetry/rollup.h). */
    uint64_t stored_position;
    int64_t written_until[TIER_COUNT]; /* slots that start before are in the store, later ones are
                                          not */
    int64_t
        oldest_stored[TIER_COUNT]; /* start of the oldest slot that may be there; INT64_MAX: none */
    int64_t newest_6h;             /* start of the newest slot of 6 h that is there */
    /* While the log is replayed: what the saved ring knew (position, records ever), records the
     * store knew, and of the log's records, how many the store had and how many went into the ring.
     */
    uint64_t ring_position, ring_total, stored_total, replayed, ring_replayed;

    atomic_uint references;
    bool forgotten;
};

/* What counting needs beside the records. */
struct counting {
    int64_t now, retention_ms;
    int64_t since; /* 5 s slots before this are incomplete (the server started later): not used */
    uint64_t shipped; /* a replay counts nothing up to here: all nodes have it */
    struct workshop *workshop;
    struct ring_budget *rings;
};

/* Bring what counting needs of it into the cache. */
static ALWAYS_INLINE void live_prefetch(const struct live *l)
{
    __builtin_prefetch(l, 1);
    __builtin_prefetch((const char *)l + 64, 1);
}

struct live *live_new(uint64_t uid, bool fleet) __attribute__((returns_nonnull));
void live_retain(struct live *l);
/* Frees it with the last reference. [any] without the lock. */
void live_release(struct live *l, struct ring_budget *rings);

/* Records of one model within a payload. */
struct live_records {
    const struct payload *payload;
    uint32_t first, n;
    uint32_t score; /* the first score of these records; moved behind the last by counting */
};
/* Count them: into the tallies, into the ring. */
void live_count_windows(struct live *l, struct live_records *r, const struct counting *c);
void live_count_ring(struct live *l, const struct live_records *r, const struct counting *c);

/* Close all open tallies: of this node if it is alone, else of all nodes. */
void live_settle(struct live *l, const struct counting *c);

/* The open tally of a slot in `open` or `shared`; a place is made for it by closing the tier's
 * oldest. */
struct tally *live_open(struct live *l, struct open_tally set[OPEN_COUNT], enum tier tier,
                        int64_t start, const struct counting *c);
/* Drop what is open, uncounted. */
void live_drop_open(struct open_tally set[OPEN_COUNT]);
/* The tier whose tallies lie in place `i` of such a set. */
enum tier live_tier_of_place(int i);

/* --- where several nodes share the store (live_fleet.c) --- */
void live_fleet_free(struct live_fleet *f);
/* [writer] What was counted until now is to be sent. What was cut off before must have arrived. */
void live_cut(struct live *l);
/* What was cut off has arrived everywhere it has to: count it as a delta. */
void live_join(struct live *l, const struct counting *c);
/* Count a delta: records of one slot, encoded, with what their kinds are called here. */
bool live_take(struct live *l, enum tier tier, int64_t start, const struct tally_bytes *b,
               const struct counting *c, struct err *e) MUST_CHECK;
/* The same was sent by this node, before it was started. */
bool live_take_own(struct live *l, const struct tally_bytes *b, const struct counting *c,
                   struct err *e) MUST_CHECK;

/* What was counted, but is in no slot of `tiers` and not in the lifetime either. */
struct pending {
    enum tier tier;
    int64_t start;
    const struct tally *tally; /* NULL: it is encoded */
    const char *bytes;
    size_t len;
    bool own; /* of this node */
};
/* False from `each` ends it. */
bool live_each_pending(const struct live *l, bool (*each)(void *ctx, const struct pending *p),
                       void *ctx);
/* Only what was cut off. */
bool live_each_cut(const struct live *l, bool (*each)(void *ctx, const struct pending *p),
                   void *ctx);

/* Which tier's slot a record of this time belongs into. */
enum tier live_tier_of(int64_t ms, const struct counting *c);

/* All records that this node ever counted. */
uint64_t live_total(const struct live *l, struct workshop *w);

/* Bytes of its windows (without the ring). */
size_t live_memory(const struct live *l);

#endif
