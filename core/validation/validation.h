/* validation: runs of tests, from the wish to the verdict. Room: validation.
 *
 * A run is queued in the store, claimed by a node, planned from the view of that moment, its tests
 * go through paddock-worker, and the verdict is stored, told to the engine (summary, alerts) and to
 * whoever waits, in this order. The supervisor's thread owns everything that runs; what blocks
 * (store, files, Lua) happens on one thread of its own, "verdicts". See README.md.
 *
 * Threads: [any] but where said. */
#ifndef PADDOCK_VALIDATION_VALIDATION_H
#define PADDOCK_VALIDATION_VALIDATION_H

#include "base/clock.h"
#include "base/mailbox.h"
#include "engine/engine.h"
#include "extend/catalog.h"
#include "extend/policies.h"
#include "registry/nightly_batch.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct validation;

/* Texts and what is pointed to are borrowed for the life of the validation. */
struct validation_config {
    struct store *store;
    const struct clock *clock;
    struct catalog *catalog;
    struct policies *policies;
    const struct worker_settings *worker;
    const char *const *dataset_dirs;                  /* ended by NULL */
    const char *const *exec_dirs, *const *model_dirs; /* likewise */
    const char *severity_policy;                      /* of names that do not say; "default" */
    const char *secrets_file; /* JSON object of texts, read for each run; NULL: none */
    int64_t keep_runs_ms;     /* runs older than that go; 0: none does */
    int workers;              /* tests at a time; less than 0: one for each processor */
    int64_t claim_ms;         /* who is silent for so long has lost its runs; 0: 15,000 */
    bool only_work;           /* carry out what others ask for, and nothing else */
    size_t queue_max;         /* runs that may wait, those of a night apart */
};

struct validation *validation_open(const struct validation_config *config, struct err *e)
    MUST_CHECK;
/* Start the threads; the engine must outlive validation_stop(). */
bool validation_start(struct validation *v, struct engine *engine, struct err *e) MUST_CHECK;
/* Begin no further run; true once nothing is under way. Again and again, before the stop. */
bool validation_drained(struct validation *v);
/* Ends what runs (a restart takes it up again) and the threads. Once stopped, requests fail. */
void validation_stop(struct validation *v);
/* After the engine is gone: its gate asks until then. NULL is allowed. */
void validation_close(struct validation *v);

/* What gates ask (registry/command.h). */
const struct gate_source *validation_gate(struct validation *v);
/* What test cases ask. */
const struct test_types *validation_test_types(struct validation *v);

/* --- runs --- */

/* A wish for a run; owned by the caller, alive until done(). */
struct run_wish {
    struct mail mail;              /* the caller's when done() is called */
    const char *ns, *model_id;     /* the model's id, no reference */
    const char *types, *test_ids;  /* JSON arrays of texts; NULL or []: all */
    const char *baseline_model_id; /* or NULL */
    const char *labels;            /* JSON object; NULL: {} */
    bool trial;
    /* out */
    bool ok;
    struct err err;
    char run_id[129];
    void (*done)(struct run_wish *w); /* [supervisor]: the run is in the queue for good, or not */
    void *owner;
    struct validation *owner_validation; /* set by validation_run() */
};
/* Done is called in any case, maybe at once. Errors: MODEL_NOT_FOUND, ERR_BUSY, ERR_IO. */
void validation_run(struct validation *v, struct run_wish *w);

/* Append the JSON of a run that waits or is under way here; false if there is none: then the store
 * has it, or nobody. */
bool validation_live(struct validation *v, const char *ns, const char *run_id, struct bytes *out);

/* Somebody who waits for the end of a run; owned by the caller, alive until done(). */
struct run_wait {
    struct mail mail;                 /* the caller's when done() is called */
    int64_t until_ns;                 /* monotonic */
    bool over;                        /* out: it has ended; else the time has passed */
    void (*done)(struct run_wait *w); /* [supervisor] */
    void *owner;
    struct run_wait *next;
};
/* False if the run is not live (any more): done() will not be called. */
bool validation_wait(struct validation *v, const char *ns, const char *run_id, struct run_wait *w)
    MUST_CHECK;

/* Call a run off. CANCEL_UNKNOWN: it is not live here. */
enum cancel_answer { CANCEL_TAKEN, CANCEL_UNKNOWN };
enum cancel_answer validation_cancel(struct validation *v, const char *ns, const char *run_id);

/* --- nights --- */

struct night_wish {
    struct mail mail;
    struct arena *arena; /* for texts of `err` */
    const char *ns;
    /* out */
    bool ok;
    struct err err;
    const char *members; /* of `err` */
    char batch_id[129];
    int64_t queued;
    void (*done)(struct night_wish *w); /* [supervisor] */
    void *owner;
    struct validation *owner_validation; /* set by validation_night() */
};
/* Begin a night of all canary and stable models now. NIGHTLY_RUNNING, ERR_BUSY, ERR_IO. */
void validation_night(struct validation *v, struct night_wish *w);

struct night_progress {
    char batch_id[129];
    int64_t total, done, under_way, left;
    int64_t started_at, estimated_end_at; /* ms; the estimate 0: not known yet */
    struct nightly_counts counts;         /* so far */
};
/* The night that this node runs in a namespace; false: none. */
bool validation_night_progress(struct validation *v, const char *ns, struct night_progress *out);

struct validation_stats {
    uint64_t queued, running, workers; /* now */
    uint64_t runs, tests;              /* since the start */
};
void validation_stats(struct validation *v, struct validation_stats *out);

#endif
