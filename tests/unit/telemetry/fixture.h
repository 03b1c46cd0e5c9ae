/* fixture: telemetry with a memory store, a clock that stands still and a directory of its own. */
#ifndef PADDOCK_TESTS_TELEMETRY_FIXTURE_H
#define PADDOCK_TESTS_TELEMETRY_FIXTURE_H

#include "support/temp_dir.h"
#include "support/unit.h"

#include "base/mem.h"
#include "telemetry/internal.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
/* 2026-11-23T02:00:00Z: the start of a slot of 15 minutes and of an hour, not of one of 6 hours. */
#define START INT64_C(1795399200000)

struct fixture {
    char dir[TEMP_DIR_SIZE];
    struct manual_clock clock;
    struct store *store, *inner; /* `inner`: the memory store behind a double, if there is one */
    struct idempotency *keys;
    struct telemetry_config config;
    struct telemetry *telemetry;
    struct arena *arena;
    struct faults faults;
    struct batch *batch;
};

static inline void fixture_open(struct fixture *f)
{
    struct err e = {0};
    f->telemetry = telemetry_open(&f->config, &e);
    if (!f->telemetry)
        fail_msg("%s", e.detail);
}

/* Everything but telemetry itself. */
static inline void fixture_prepare(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    temp_dir_make_fast(f->dir);
    manual_clock_init(&f->clock, START);
    f->store = f->inner = store_memory_open(&f->clock.clock);
    f->keys = idempotency_new(1000, 1 << 20);
    f->arena = arena_new(64 << 20);
    f->batch = batch_new();
    f->config = (struct telemetry_config){.dir = f->dir,
                                          .store = f->store,
                                          .clock = &f->clock.clock,
                                          .keys = f->keys,
                                          .sample_size = 10000,
                                          .ring_budget_bytes = 64 << 20,
                                          .retention_days = 90,
                                          .log_max_bytes = 1 << 30,
                                          .segment_bytes = 1 << 20,
                                          .no_roll_up_thread = true};
}

static inline void fixture_init(struct fixture *f)
{
    fixture_prepare(f);
    fixture_open(f);
}

static inline void fixture_release(struct fixture *f)
{
    telemetry_close(f->telemetry);
    f->inner->ops->close(f->inner);
    idempotency_free(f->keys);
    batch_free(f->batch);
    arena_free(f->arena);
    temp_dir_remove(f->dir);
}

/* Stop in good order and start again. */
static inline void fixture_restart(struct fixture *f)
{
    telemetry_close(f->telemetry);
    fixture_open(f);
}

/* kill -9 and start again. */
static inline void fixture_crash(struct fixture *f)
{
    telemetry_abandon(f->telemetry);
    fixture_open(f);
}

static inline void fixture_roll_up(struct fixture *f)
{
    struct err e = {0};
    if (!telemetry_roll_up(f->telemetry, &e))
        fail_msg("%s", e.detail);
}

/* --- sending --- */

static inline uint64_t fixture_resolve(void *ctx, const char *id, size_t len)
{
    (void)ctx;
    return len > 1 && id[0] == 'm' ? strtoull(id + 1, NULL, 10) : 0; /* "m17" is 17 */
}

/* Scan NDJSON; the batch is left in the fixture. */
static inline bool fixture_scan(struct fixture *f, uint64_t uid, const char *ndjson, struct err *e)
{
    struct batch_config config = {.format = BATCH_NDJSON,
                                  .uid = uid,
                                  .resolve = fixture_resolve,
                                  .now_ms = f->clock.wall_ms,
                                  .oldest_ms = f->clock.wall_ms - 90 * DAY};
    arena_reset(f->arena);
    faults_init(&f->faults, f->arena);
    batch_start(f->batch, &config, &f->faults);
    batch_feed(f->batch, ndjson, strlen(ndjson));
    return batch_end(f->batch, e);
}

static inline void fixture_done(struct telemetry_write *w)
{
    sem_post(w->owner);
}

/* Append what was scanned, wait; false: refused or failed. */
static inline bool fixture_append(struct fixture *f, const char *key, const char *value,
                                  struct err *e)
{
    sem_t done;
    sem_init(&done, 0, 0);
    struct telemetry_write w = {.batch = f->batch,
                                .key = key,
                                .key_value = value,
                                .key_value_len = value ? strlen(value) : 0,
                                .key_expires_ms = f->clock.wall_ms + HOUR,
                                .done = fixture_done,
                                .owner = &done};
    bool ok = telemetry_append(f->telemetry, &w, e);
    if (ok) {
        sem_wait(&done);
        ok = w.ok;
        if (!ok && e)
            *e = w.err;
    }
    sem_destroy(&done);
    return ok;
}

static inline void fixture_send(struct fixture *f, uint64_t uid, const char *ndjson)
{
    struct err e = {0};
    if (!fixture_scan(f, uid, ndjson, &e) || !fixture_append(f, NULL, NULL, &e))
        fail_msg("%s", e.detail);
}

/* One record of a time and latency. */
static inline void fixture_record(struct fixture *f, uint64_t uid, int64_t ms, double latency)
{
    char line[128];
    snprintf(line, sizeof line, "{\"latency_ms\":%.17g,\"timestamp\":%lld}", latency,
             (long long)ms);
    fixture_send(f, uid, line);
}

/* --- asking --- */

static inline struct metrics fixture_ask(struct fixture *f, uint64_t uid,
                                         const struct metrics_query *q)
{
    struct metrics m;
    struct err e = {0};
    if (!telemetry_metrics(f->telemetry, uid, q, f->arena, &m, &e))
        fail_msg("%s", e.detail);
    return m;
}

static inline struct metrics fixture_window(struct fixture *f, uint64_t uid, int64_t window)
{
    struct metrics_query q = {.window_ms = window};
    return fixture_ask(f, uid, &q);
}

/* How many records the window from..to counts. */
static inline uint64_t fixture_count(struct fixture *f, uint64_t uid, int64_t from, int64_t to)
{
    struct metrics_query q = {.from = from, .to = to};
    return fixture_ask(f, uid, &q).total;
}

#endif
