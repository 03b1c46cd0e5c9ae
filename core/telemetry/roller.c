#include "telemetry/rollup.h"

#include "base/cond.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Delete the rows of models that were forgotten. */
static bool delete_forgotten(struct telemetry *t, struct err *e)
{
    static const int kinds[] = {-1, TIER_MINUTE, TIER_QUARTER, TIER_HOUR, TIER_6H};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    for (;;) {
        char keys[KINDS][SERIES_KEY_SIZE];
        struct series_trim trims[KINDS];
        pthread_mutex_lock(&t->lock);
        uint64_t uid = t->n_forgotten ? t->forgotten[t->n_forgotten - 1] : 0;
        pthread_mutex_unlock(&t->lock);
        if (uid == 0)
            return true;
        for (int i = 0; i < KINDS; i++) {
            series_key(t->space, kinds[i], uid, keys[i]);
            trims[i] = (struct series_trim){keys[i], INT64_MAX};
        }
        struct series_append append = {.trims = trims, .n_trims = KINDS};
        if (!series_append_wait(t->config.store, &append, e))
            return false;
        pthread_mutex_lock(&t->lock);
        for (size_t i = 0; i < t->n_forgotten; i++) /* others may have been added behind it */
            if (t->forgotten[i] == uid) {
                t->forgotten[i] = t->forgotten[--t->n_forgotten];
                break;
            }
        pthread_mutex_unlock(&t->lock);
    }
}

/* Wait, but not when there is a hurry. */
static void pause_for(struct telemetry *t, int64_t ms)
{
    const struct timespec until = cond_until(ms);
    pthread_mutex_lock(&t->lock);
    while (!t->stopping && !t->hurry)
        if (pthread_cond_timedwait(&t->wake, &t->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&t->lock);
}

/* Write all models in chunks, `pause_ms` apart so that the store has time for others, then the
 * mark. */
static bool write_models(struct telemetry *t, struct live **lives, size_t n, uint64_t mark,
                         int64_t pause_ms, struct err *e)
{
    struct chunk c = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct counting now = counting_now(t, &t->round_workshop);
        ok = chunk_add(&c, t, lives[i], &now, e);
        if (ok && c.n >= CHUNK_ROWS) {
            ok = chunk_write(&c, t, NULL, e);
            if (pause_ms)
                pause_for(t, pause_ms);
        }
    }
    struct series_mark position = {t->mark, (int64_t)mark};
    ok = ok && chunk_write(&c, t, mark != t->rolled_up_to ? &position : NULL, e);
    chunk_release(&c, t);
    return ok;
}

static bool round_of(struct telemetry *t, int64_t pause_ms, struct err *e)
{
    pthread_mutex_lock(&t->round);
    uint64_t mark = atomic_load(&t->counted); /* before the list: its models are all in it */
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    bool ok =
        delete_forgotten(t, e) && write_models(t, lives, n, mark, pause_ms, e) && keys_save(t, e);
    for (size_t i = 0; i < n; i++)
        live_release(lives[i], &t->rings);
    free(lives);
    if (ok) {
        t->rolled_up_to = mark;
        segment_log_release(t->log, mark);
        atomic_store(&t->log_bytes, segment_log_bytes(t->log));
        pthread_mutex_lock(&t->lock);
        t->rolled_up_at = clock_wall_ms(t->config.clock);
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_unlock(&t->round);
    return ok;
}

bool telemetry_roll_up(struct telemetry *t, struct err *e)
{
    return round_of(t, 0, e);
}

/* Tell about a failure once, and about its end. */
static bool tell(const char *failed, const char *works, bool ok, bool was_ok, const struct err *e)
{
    if (was_ok && !ok)
        log_text(LOG_WARN, failed, e->detail);
    else if (ok && !was_ok)
        log_event(LOG_INFO, works, NULL);
    return ok;
}

void *roller_main(void *telemetry)
{
    struct telemetry *t = telemetry;
    struct err e = {0};
    bool rounds_ok = true, rings_ok = true;
    int64_t rings_at = clock_mono_ns(t->config.clock);
    for (;;) {
        pause_for(t, ROLL_UP_MS);
        pthread_mutex_lock(&t->lock);
        bool stopping = t->stopping, hurry = t->hurry;
        t->hurry = false;
        pthread_mutex_unlock(&t->lock);
        if (stopping)
            return NULL;
        bool ok = round_of(t, hurry ? 0 : CHUNK_PAUSE_MS, &e);
        rounds_ok = tell("roll_up_failed", "roll_up_works", ok, rounds_ok, &e);
        if (clock_mono_ns(t->config.clock) - rings_at >= RINGS_SAVED_MS * INT64_C(1000000)) {
            pthread_mutex_lock(&t->round);
            ok = rings_save(t, &e);
            pthread_mutex_unlock(&t->round);
            rings_ok = tell("rings_not_saved", "rings_saved", ok, rings_ok, &e);
            rings_at = clock_mono_ns(t->config.clock);
        }
    }
}
