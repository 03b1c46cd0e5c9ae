/* run_store: validation runs in the store's series. Room: validation. Threads: [any]; what says so
 * waits for the store, so not on a loop nor on the engine.
 *
 *   v/<uid>        at queued_at, id run_id   the run, as JSON        (history of a model)
 *   vr/<run_id>    at 1                      where it is             (one run)
 *   vb/<batch_id>  at queued_at, id run_id   where it is             (one night)
 *   vk/<uid>       at queued_at, id run_id   the run, put aside by the retention
 *
 * A run is written when it is queued and again, whole, when it is over: a later write of the same
 * key, time and id replaces the earlier one. All three go in one transaction. */
#ifndef PADDOCK_VALIDATION_RUN_STORE_H
#define PADDOCK_VALIDATION_RUN_STORE_H

#include "store/store.h"
#include "validation/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a run is. */
struct run_place {
    const char *ns;
    uint64_t uid; /* of the model's incarnation */
    int64_t at;   /* queued_at */
    const char *run_id, *batch_id, *model_id;
};

/* Make the records of a run for an append; texts go to `a`. ERR_MEMORY if it is too long. */
#define RUN_RECORDS 3
bool run_records(const struct run *r, const char *ns, uint64_t uid, struct arena *a,
                 struct series_record *out, size_t *n, struct err *e) MUST_CHECK;
/* Write it; waits. `duty`: only the decider may (store/nodes.h). */
bool run_put(struct store *s, const struct run *r, const char *ns, uint64_t uid, bool duty,
             struct err *e) MUST_CHECK;

/* Find a run of this namespace, as text and where it is; waits. RUN_NOT_FOUND. */
bool run_find(struct store *s, const char *ns, const char *run_id, struct arena *a,
              struct run_place *where, const char **text, size_t *len, struct err *e) MUST_CHECK;
/* The same, decoded. */
bool run_get(struct store *s, const char *ns, const char *run_id, struct arena *a, struct run *out,
             struct err *e) MUST_CHECK;

/* A span of runs of one model, or (uid 0) the places of one night's. */
struct run_range {
    uint64_t uid;
    const char *batch_id;
    int64_t from, to; /* ms, from <= queued_at < to; to 0: open */
    bool newest_first;
    bool aside;       /* of the model's runs those that were put aside */
    size_t limit;     /* 0: 1,000 */
    size_t bytes_max; /* stop after so many bytes; 0: 64 MiB */
};
struct run_text {
    int64_t at;
    const char *run_id;
    const char *text;
    size_t len;
};
/* Read them into `a`; waits. `more`: the limit cut it short (may be NULL). */
bool run_list(struct store *s, const struct run_range *range, struct arena *a,
              struct run_text **out, size_t *n, bool *more, struct err *e) MUST_CHECK;
/* All places, as a key for series_read: run_place_read() reads their data. */
#define RUN_PLACES "vr/*"

/* The oldest runs of a model go, or are put aside: all of `list`, which run_list() read from the
 * start, in one transaction; waits. */
bool run_remove(struct store *s, uint64_t uid, const struct run_text *list, const bool *aside,
                size_t n, struct arena *a, struct err *e) MUST_CHECK;
/* What nights of before `before` (ms) list; waits. */
bool run_forget_nights(struct store *s, int64_t before, struct err *e) MUST_CHECK;

/* Where one of a night's is. */
bool run_place_read(const struct run_text *t, struct arena *a, struct run_place *out);

#endif
