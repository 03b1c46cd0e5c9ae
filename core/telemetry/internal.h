/* internal: the parts of a `struct telemetry`. Room: telemetry, private (and its tests). */
#ifndef PADDOCK_TELEMETRY_INTERNAL_H
#define PADDOCK_TELEMETRY_INTERNAL_H

#include "store/nodes.h"
#include "telemetry/keys_file.h"
#include "telemetry/models.h"
#include "telemetry/segment_log.h"
#include "telemetry/telemetry.h"

#include <pthread.h>
#include <stdatomic.h>

#define QUEUE_BYTES_MAX   (64u << 20) /* batches waiting for the log */
#define QUEUE_BATCHES_MAX 65536
#define ROLL_UP_MS        60000
#define CHUNK_PAUSE_MS    100
#define RINGS_SAVED_MS    (5 * 60 * 1000)

struct fleet;

struct telemetry {
    struct telemetry_config config;
    const struct files *files;
    char *dir;                              /* DIR/records */
    char space[STORE_SPACE_SIZE], mark[48]; /* of rows in the store; how far the log is there */
    int64_t retention_ms;
    atomic_int_fast64_t since; /* 5 s slots are whole from here on; 0: it starts */
    struct models models;
    struct ring_budget rings;
    struct segment_log *log;

    struct fleet *fleet; /* NULL: no other node shares the store */

    /* The log writer. */
    pthread_t writer;
    bool writer_runs;
    struct mailbox *mailbox;
    struct workshop workshop; /* [writer], and [main] while it opens */
    atomic_size_t queued_bytes, queued_batches;
    atomic_uint_fast64_t log_bytes;
    atomic_uint_fast64_t counted; /* every block up to here is in the windows */
    uint64_t *dead; /* [writer] uids forgotten lately: records under way must not revive them */
    size_t n_dead;
    int64_t hurried_at; /* [writer] */

    /* The roll-up thread, and whoever asks for a round. */
    pthread_t roller;
    bool roller_runs;
    pthread_mutex_t round; /* one round at a time */
    struct workshop round_workshop;
    pthread_rwlock_t history; /* written: while TIER_6H slots move from memory to the store */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t wake;
    bool stopping, hurry;
    uint64_t *forgotten; /* uids whose rows are to be deleted */
    size_t n_forgotten, forgotten_cap;
    int64_t rolled_up_at;
    uint64_t rolled_up_to; /* position; under `round` */
    struct kept_keys keys;
    struct telemetry_stats stats; /* the counters that writer and roll-up keep */
};

/* The 5 s slots of before are not whole. */
void forget_seconds(struct telemetry *t);
/* What the thread that holds `w` needs for counting now. */
struct counting counting_now(const struct telemetry *t, struct workshop *w);

/* [writer] */
void *writer_main(void *telemetry);
/* The model, made if it is new; NULL if it was forgotten while its records were under way. */
struct live *count_model_of(struct telemetry *t, uint64_t uid);
/* Count one block in its models; `replay`: only where the store does not have it yet. */
void count_block(struct telemetry *t, const struct payload *p, uint64_t position, bool replay,
                 const struct counting *c);

/* [main], while opening */
bool restore(struct telemetry *t, struct err *e) MUST_CHECK;
/* Of a model whose rows were loaded: coarser slots that the store does not have yet, made of the
 * finer ones. */
bool build_coarser(struct live *l, struct workshop *w, struct err *e) MUST_CHECK;

/* [roller] */
void *roller_main(void *telemetry);
bool rings_save(struct telemetry *t, struct err *e) MUST_CHECK;
void rings_load(struct telemetry *t);

/* End without writing anything more, as kill -9 would: for tests. */
void telemetry_abandon(struct telemetry *t);

#endif
