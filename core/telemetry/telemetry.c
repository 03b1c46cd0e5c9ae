#include "telemetry/fleet.h"
#include "telemetry/internal.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_MS                (24 * 60 * 60 * INT64_C(1000))
#define SEGMENT_BYTES_DEFAULT (64u << 20)

static void free_all(struct telemetry *t)
{
    fleet_free(t->fleet);
    mailbox_free(t->mailbox);
    models_release(&t->models, &t->rings);
    segment_log_close(t->log);
    workshop_release(&t->workshop);
    workshop_release(&t->round_workshop);
    pthread_mutex_destroy(&t->round);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    pthread_rwlock_destroy(&t->history);
    keys_release(&t->keys);
    free(t->dead);
    free(t->forgotten);
    free(t->dir);
    free(t);
}

static struct telemetry *prepare(const struct telemetry_config *config)
{
    struct telemetry *t = mem_zero(1, sizeof *t);
    t->config = *config;
    store_space(config->store, t->space);
    snprintf(t->mark, sizeof t->mark, "telemetry%s/rolled_up_to", t->space);
    if (t->config.segment_bytes == 0)
        t->config.segment_bytes = SEGMENT_BYTES_DEFAULT;
    t->files = config->files ? config->files : &FILES_SYSTEM;
    size_t len = strlen(config->dir) + sizeof "/records";
    t->dir = mem_alloc(len);
    snprintf(t->dir, len, "%s/records", config->dir);
    t->retention_ms = config->retention_days * DAY_MS;
    t->rings.places_max = (uint32_t)config->sample_size;
    t->rings.bytes_max = config->ring_budget_bytes;
    t->stats.available = true;
    models_init(&t->models, config->store->ops->ship != NULL);
    workshop_init(&t->workshop);
    workshop_init(&t->round_workshop);
    pthread_mutex_init(&t->round, NULL);
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->wake);
    rwlock_init_writers_first(&t->history);
    t->fleet = t->models.fleet ? fleet_new(t) : NULL;
    return t;
}

static bool start_threads(struct telemetry *t, struct err *e)
{
    t->writer_runs = thread_start(&t->writer, "records", THREAD_SOON, writer_main, t, e);
    t->roller_runs = t->writer_runs && !t->config.no_roll_up_thread &&
                     thread_start(&t->roller, "roll-up", THREAD_LATER, roller_main, t, e);
    if (!t->writer_runs || t->config.no_roll_up_thread)
        return t->writer_runs;
    return t->roller_runs && (!t->fleet || fleet_start(t->fleet, e));
}

static void stop_threads(struct telemetry *t)
{
    if (t->fleet)
        fleet_stop(t->fleet); /* while the writer still cuts off for it */
    if (t->mailbox)
        mailbox_close(t->mailbox);
    if (t->writer_runs)
        pthread_join(t->writer, NULL);
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (t->roller_runs)
        pthread_join(t->roller, NULL);
    t->writer_runs = t->roller_runs = false;
}

struct telemetry *telemetry_open(const struct telemetry_config *config, struct err *e)
{
    struct telemetry *t = prepare(config);
    struct segment_log_config log = {t->dir, t->files, t->config.segment_bytes,
                                     config->accept_damage};
    if (mkdir(config->dir, 0750) != 0 && errno != EEXIST) {
        fail_errno(e, &ERR_IO, "cannot make the directory '%s'", config->dir);
        goto out;
    }
    t->mailbox = mailbox_new(QUEUE_BATCHES_MAX, e);
    t->log = t->mailbox ? segment_log_open(&log, e) : NULL;
    if (!t->log || !restore(t, e))
        goto out;
    forget_seconds(t);
    atomic_store(&t->log_bytes, segment_log_bytes(t->log));
    if (start_threads(t, e))
        return t;
out:
    stop_threads(t);
    free_all(t);
    return NULL;
}

void telemetry_close(struct telemetry *t)
{
    if (!t)
        return;
    struct err e = {0};
    stop_threads(t);
    if (t->fleet && !fleet_round(t->fleet, &e))
        log_text(LOG_WARN, "fleet_figures_away", e.detail); /* the log keeps them */
    if (!telemetry_roll_up(t, &e))
        log_text(LOG_WARN, "roll_up_failed", e.detail);
    if (!rings_save(t, &e))
        log_text(LOG_WARN, "rings_not_saved", e.detail);
    free_all(t);
}

void telemetry_abandon(struct telemetry *t)
{
    stop_threads(t);
    free_all(t);
}

void telemetry_forget_unknown(struct telemetry *t, bool (*known)(void *ctx, uint64_t uid),
                              void *ctx)
{
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    for (size_t i = 0; i < n; i++) {
        if (!known(ctx, lives[i]->uid))
            telemetry_forget(t, lives[i]->uid);
        live_release(lives[i], &t->rings);
    }
    free(lives);
}

int64_t telemetry_retention_ms(const struct telemetry *t)
{
    return t->retention_ms;
}

void telemetry_stats(struct telemetry *t, struct telemetry_stats *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->stats;
    out->rolled_up_to = t->rolled_up_at;
    t->stats.records_per_sync_max = 0;
    t->stats.sync_seconds_max = 0;
    pthread_mutex_unlock(&t->lock);
    out->queued_batches = atomic_load(&t->queued_batches);
    out->queued_bytes = atomic_load(&t->queued_bytes);
    out->log_bytes = atomic_load(&t->log_bytes);
    out->log_max_bytes = t->config.log_max_bytes;
    out->segments = segment_log_segments(t->log);
    out->ring_bytes = atomic_load(&t->rings.bytes);
    out->fleet = t->fleet != NULL;
    if (t->fleet) {
        out->deltas_told = atomic_load(&t->fleet->shipped_entries);
        out->delta_bytes_told = atomic_load(&t->fleet->shipped_bytes);
        out->delta_bytes_heard = atomic_load(&t->fleet->taken_bytes);
        out->deltas_missed = atomic_load(&t->fleet->missed);
    }
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    out->models_live = n;
    out->window_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&lives[i]->lock);
        out->window_bytes += live_memory(lives[i]);
        pthread_mutex_unlock(&lives[i]->lock);
        live_release(lives[i], &t->rings);
    }
    free(lives);
}
