/* rollup: what memory knows moves to the store. Room: telemetry. Threads: [roller], or who holds
 * `round`. */
#ifndef PADDOCK_TELEMETRY_ROLLUP_H
#define PADDOCK_TELEMETRY_ROLLUP_H

#include "telemetry/internal.h"
#include "telemetry/series.h"

#define CHUNK_ROWS 1000 /* of one transaction, as far as whole models allow */

/* One transaction under way: whole models. */
struct chunk {
    struct arena *arena;
    const char *space; /* where this node's rows lie */
    struct series_record *records;
    struct series_trim *trims;
    size_t n, cap, n_trims, trims_cap;
    /* What to take back if it fails. */
    struct rolled {
        struct live *live; /* retained */
        uint64_t position;
    } * models;
    size_t n_models, models_cap;
    struct rolled_slot {
        struct live *live;
        enum tier tier;
        int64_t start;
    } * slots;
    size_t n_slots, slots_cap;
    bool moves_6h; /* some model has slots in `leaving` */
};

/* Add what has changed in one model; nothing if nothing has. */
bool chunk_add(struct chunk *c, struct telemetry *t, struct live *l, const struct counting *now,
               struct err *e) MUST_CHECK;
/* Write it, with `n` marks, and empty it. On failure everything is as before it was added. */
bool chunk_write(struct chunk *c, struct telemetry *t, const struct series_mark *marks, size_t n,
                 struct err *e) MUST_CHECK;
void chunk_release(struct chunk *c, struct telemetry *t);

#endif
