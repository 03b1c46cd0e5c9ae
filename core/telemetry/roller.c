#include "telemetry/rollup.h"

#include "store/wait.h"
#include "telemetry/fleet.h"

#include "base/cond.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define MARKS_MAX ((size_t)1 << 20)

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
        if (!store_append_wait(t->config.store, &append, e))
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

/* What the rows have when all models were written: of the log, and of the streams. */
struct marks {
    struct arena *arena;
    uint64_t position;
    struct series_mark *list;
    size_t n;
};

/* Before the models are listed: so these are all in it. */
static struct marks take_marks(struct telemetry *t)
{
    struct marks m = {.arena = arena_new(MARKS_MAX)};
    m.position = t->fleet ? fleet_shipped(t->fleet) : atomic_load(&t->counted);
    if (t->fleet)
        m.list = fleet_marks(t->fleet, t->space, m.arena, &m.n);
    else
        m.list = arena_zero(m.arena, sizeof *m.list);
    if (m.position != t->rolled_up_to)
        m.list[m.n++] = (struct series_mark){t->mark, (int64_t)m.position};
    return m;
}

/* Write all models in chunks, `pause_ms` apart so that the store has time for others, then the
 * mark. */
static bool write_models(struct telemetry *t, struct live **lives, size_t n,
                         const struct marks *marks, int64_t pause_ms, struct err *e)
{
    struct chunk c = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct counting now = counting_now(t, &t->round_workshop);
        ok = chunk_add(&c, t, lives[i], &now, e);
        if (ok && c.n >= CHUNK_ROWS) {
            ok = chunk_write(&c, t, NULL, 0, e);
            if (pause_ms)
                pause_for(t, pause_ms);
        }
    }
    ok = ok && chunk_write(&c, t, marks->list, marks->n, e);
    chunk_release(&c, t);
    return ok;
}

static bool round_of(struct telemetry *t, int64_t pause_ms, struct err *e)
{
    pthread_mutex_lock(&t->round);
    struct marks marks = take_marks(t);
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    bool ok =
        delete_forgotten(t, e) && write_models(t, lives, n, &marks, pause_ms, e) && keys_save(t, e);
    for (size_t i = 0; i < n; i++)
        live_release(lives[i], &t->rings);
    free(lives);
    if (ok) {
        t->rolled_up_to = marks.position;
        segment_log_release(t->log, marks.position);
        atomic_store(&t->log_bytes, segment_log_bytes(t->log));
        pthread_mutex_lock(&t->lock);
        t->rolled_up_at = clock_wall_ms(t->config.clock);
        pthread_mutex_unlock(&t->lock);
        if (t->fleet)
            fleet_tidy(t->fleet);
    }
    arena_free(marks.arena);
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
