/* telemetry: inference records in, windows and health out. Room: telemetry.
 *
 * Write path: a loop scans a body into a batch (batch.h), telemetry_append queues it, the log
 * writer thread writes all that waited with one fdatasync, applies the records to the windows, and
 * calls done. Read path: any thread asks; a model's lock is held for at most about 100 us. */
#ifndef PADDOCK_TELEMETRY_TELEMETRY_H
#define PADDOCK_TELEMETRY_TELEMETRY_H

#include "base/clock.h"
#include "base/err.h"
#include "base/mailbox.h"
#include "engine/engine.h"
#include "engine/idempotency.h"
#include "store/store.h"
#include "telemetry/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct telemetry;
struct files;

struct telemetry_config {
    const char *dir; /* DIR/records, made if absent */
    struct store *store;
    const struct clock *clock;
    struct idempotency *keys; /* answers of ingestion keys are restored into it from the log */
    size_t sample_size;       /* MODEL_PERFORMANCE_SAMPLE_SIZE: ring of recent records per model */
    size_t ring_budget_bytes; /* all rings together */
    unsigned retention_days;
    size_t log_max_bytes;      /* unrolled log beyond this refuses records with 503 */
    size_t segment_bytes;      /* size of a preallocated segment file [64 MiB] */
    bool accept_damage;        /* start although acknowledged records of the log cannot be read */
    const struct files *files; /* NULL: the system's; tests crash between its calls */
    bool no_roll_up_thread;    /* tests: rounds only by telemetry_roll_up() */
};

/* Load roll-ups, replay the log, start the writer and the roll-up thread. */
struct telemetry *telemetry_open(const struct telemetry_config *config, struct err *e) MUST_CHECK;
/* Write what is queued, checkpoint, end the threads, free. */
void telemetry_close(struct telemetry *t);

/* A batch on its way. */
struct telemetry_write {
    struct mail mail;      /* first: travels through the writer's mailbox */
    struct batch *batch;   /* at least one record; the caller's again after done */
    const char *key;       /* idempotency key to keep with the records, or NULL */
    const void *key_value; /* its kept_answer_encode()d answer */
    size_t key_value_len;
    int64_t key_expires_ms;
    bool ok;
    struct err err;
    void (*done)(struct telemetry_write *w); /* [log writer] hands over and returns */
    void *owner;
};
/* [any] False (ERR_BUSY with a sentence) when the queue, the log or the disk is full: still the
 * caller's. */
bool telemetry_append(struct telemetry *t, struct telemetry_write *w, struct err *e) MUST_CHECK;

/* A model was deleted: forget its windows and history. [any] */
void telemetry_forget(struct telemetry *t, uint64_t uid);
/* Forget every model that `known` denies: once after a start, since a stop between a model's
 * deletion and telemetry_forget() would leave its history behind. [main] */
void telemetry_forget_unknown(struct telemetry *t, bool (*known)(void *ctx, uint64_t uid),
                              void *ctx);

/* Write what has changed to the store now, instead of within a minute. Blocking, not on a loop. */
bool telemetry_roll_up(struct telemetry *t, struct err *e) MUST_CHECK;

/* --- metrics of one model --- */
#define METRICS_QUANTILES_MAX 16
#define METRICS_POINTS_MAX    1000

enum quantile_method { METHOD_RANK, METHOD_PROMQL };

struct metrics_query {
    int64_t from, to; /* ms; to 0: now; from 0: to - window_ms */
    int64_t window_ms;
    double quantiles[METRICS_QUANTILES_MAX];
    size_t n_quantiles;
    bool quantiles_unasked; /* they are a default: low_sample does not speak of them */
    int64_t resolution_ms;  /* 0: no series; rounded up to a slot of its tier */
    enum quantile_method method;
};

struct latency_summary {
    uint64_t count;
    double min, max, mean, p50, p95, p99; /* NAN when empty */
    double quantiles[METRICS_QUANTILES_MAX];
    bool exact, low_sample;
    double error_bound_ratio;
};
struct score_summary {
    const char *name; /* in the arena */
    uint64_t count;
    double mean, min, max, variance;
};
struct error_count {
    const char *type; /* in the arena */
    uint64_t count;
};
struct metrics_point {
    int64_t start;
    uint64_t count, failure;
    double p50, p95, p99;
};
struct metrics {
    int64_t from, to; /* truly covered */
    uint64_t total, success, failure;
    struct error_count *errors;
    size_t n_errors;
    uint64_t clock_skewed, mismatched;
    struct latency_summary latency;
    struct score_summary *scores;
    size_t n_scores;
    struct {
        size_t count, capacity;
        double min, max, p50, p95, p99;
    } recent;
    struct {
        uint64_t total, success, failure;
    } lifetime;
    struct metrics_point *series;
    size_t n_series;
    int64_t resolution_ms; /* as rounded */
};
/* [any] May take up to some hundred us (more when it reaches the 6 h tier on disk: then call it on
 * a reader thread; telemetry_reads_disk says so). A uid never seen gives an empty result. */
bool telemetry_metrics(struct telemetry *t, uint64_t uid, const struct metrics_query *q,
                       struct arena *a, struct metrics *out, struct err *e) MUST_CHECK;
bool telemetry_reads_disk(const struct telemetry *t, const struct metrics_query *q);
/* Greatest window that can be asked, ms (the retention). */
int64_t telemetry_retention_ms(const struct telemetry *t);

/* --- for /metrics: node-local and cumulative over the server's life --- */
#define EXPOSED_BUCKETS 16
extern const double
    EXPOSED_BUCKET_MS[EXPOSED_BUCKETS]; /* upper bounds, powers of two: exact on the grid */
struct exposed {
    uint64_t uid;
    uint64_t success, failure;
    uint64_t bucket[EXPOSED_BUCKETS + 1]; /* not cumulative; last: above all */
    double latency_ms_sum;
};
void telemetry_each(struct telemetry *t, void (*fn)(void *ctx, const struct exposed *x), void *ctx);

struct telemetry_stats {
    uint64_t records, batches, syncs, refused_batches, failures;
    uint64_t records_per_sync_max; /* since the last call */
    double sync_seconds_sum, sync_seconds_max;
    uint64_t queued_batches, queued_bytes;
    uint64_t log_bytes, log_max_bytes, segments;
    uint64_t models_live, window_bytes, ring_bytes;
    int64_t rolled_up_to; /* ms of the last roll-up */
    bool available;
    /* Where several nodes share the store: what was told and heard, and what never will be. */
    bool fleet;
    uint64_t deltas_told, delta_bytes_told, delta_bytes_heard, deltas_missed;
};
void telemetry_stats(struct telemetry *t, struct telemetry_stats *out);

#endif
