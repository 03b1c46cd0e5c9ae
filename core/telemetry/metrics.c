#include "store/wait.h"
#include "telemetry/answer.h"
#include "telemetry/series.h"

#include <string.h>

static bool plan(const struct telemetry *t, const struct metrics_query *q, struct asking *w,
                 struct err *e)
{
    w->now = clock_wall_ms(t->config.clock);
    int64_t to = q->to && q->to < w->now ? q->to : w->now;
    int64_t from = q->from ? q->from : to - q->window_ms;
    if (from < 0)
        from = 0;
    if (from >= to)
        return fail(e, &ERR_INVALID,
                    "the window is empty: 'from' must be before 'to' and before now");
    for (w->tier = TIER_5S; w->tier < TIER_6H; w->tier++)
        if (slot_start(w->tier, from) >= tier_oldest(w->tier, w->now, t->retention_ms) &&
            (w->tier != TIER_5S || slot_start(TIER_5S, from) >= atomic_load(&t->since)))
            break;
    int64_t oldest = tier_oldest(w->tier, w->now, t->retention_ms);
    w->from = slot_start(w->tier, from) > oldest ? slot_start(w->tier, from) : oldest;
    /* A window up to now has the open slot, even if that begins just now. */
    w->to = slot_start(w->tier, to < w->now ? to - 1 : to) + TIERS[w->tier].slot_ms;
    if (w->to < w->from)
        w->to = w->from; /* nothing of it is kept any more */
    return true;
}

bool telemetry_reads_disk(const struct telemetry *t, const struct metrics_query *q)
{
    struct asking w;
    struct err e;
    return plan(t, q, &w, &e) && w.tier == TIER_6H;
}

/* --- collecting --- */

struct row_reading {
    struct snapshot *snapshot;
    bool ok;
    struct err err;
};

static bool take_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct row_reading *r = ctx;
    (void)id;
    const void *bytes = slot_row_open(data, len, &len);
    if (!bytes)
        r->ok = fail(&r->err, &ERR_CORRUPT, "a stored slot of metrics has a wrong checksum ('%s')",
                     key);
    else if (!snapshot_add(r->snapshot, at, bytes, len))
        r->ok = fail(&r->err, &ERR_MEMORY, "the window's data are too large");
    return r->ok;
}

static bool read_history(struct asking *q, struct err *e)
{
    char key[SERIES_KEY_SIZE];
    struct row_reading r = {.snapshot = &q->snapshot, .ok = true};
    struct series_read read = {
        .key = key, .from = q->from, .to = q->to, .each = take_row, .ctx = &r};
    series_key(q->telemetry->space, TIER_6H, q->uid, key);
    if (!store_read_wait(q->telemetry->config.store, &read, e))
        return false;
    if (!r.ok)
        *e = r.err;
    return r.ok;
}

/* Everything of the window; nothing for a model that was never seen. */
static bool collect(struct asking *q, struct err *e)
{
    struct telemetry *t = q->telemetry;
    struct live *l = models_find(&t->models, q->uid);
    if (!l)
        return true;
    bool disk = q->tier == TIER_6H;
    if (disk)
        pthread_rwlock_rdlock(&t->history);
    bool ok = snapshot_take(&q->snapshot, l, q->tier, q->from, q->to,
                            WANT_LIFETIME | WANT_RING | WANT_WORDS, e) &&
              (!disk || read_history(q, e));
    if (disk)
        pthread_rwlock_unlock(&t->history);
    live_release(l, &t->rings);
    snapshot_sort(&q->snapshot);
    return ok;
}

bool telemetry_metrics(struct telemetry *t, uint64_t uid, const struct metrics_query *q,
                       struct arena *a, struct metrics *out, struct err *e)
{
    struct asking asking = {.telemetry = t, .uid = uid, .query = q};
    memset(out, 0, sizeof *out);
    if (q->n_quantiles > METRICS_QUANTILES_MAX)
        return fail(e, &ERR_INVALID, "at most %d quantiles", METRICS_QUANTILES_MAX);
    if (!plan(t, q, &asking, e))
        return false;
    snapshot_init(&asking.snapshot);
    tally_init(&asking.sum, TIERS[asking.tier].scale);
    bool ok = collect(&asking, e) && answer(&asking, a, out, e);
    tally_release(&asking.sum);
    snapshot_release(&asking.snapshot);
    return ok;
}
