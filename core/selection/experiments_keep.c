/* The looks of an experiment in the store: what its evidence is made of again after a restart. */
#include "base/latch.h"
#include "base/log.h"
#include "selection/experiments_impl.h"

#include <inttypes.h>
#include <string.h>

#define LOOK_VERSION 1

/* As stored: read only by the program that knows this very form. */
struct kept_look {
    uint32_t version, size;
    int64_t started_at, step;
    struct experiment_look look;
    int32_t thresholds[EXPERIMENT_GUARDRAILS];
    uint8_t frozen[EXPERIMENT_GUARDRAILS];
};

static const char *key_of(struct experiments *x, uint64_t uid)
{
    return arena_printf(x->arena, "x/%" PRIu64, uid);
}

static void appended(struct series_append *a)
{
    latch_open(a->owner);
}

static bool append(struct experiments *x, struct series_append *a)
{
    struct latch done;
    latch_init(&done);
    a->done = appended;
    a->owner = &done;
    x->config.store->ops->append(x->config.store, a);
    latch_wait(&done);
    return a->ok;
}

void experiment_look_keep(struct experiments *x, const struct live_experiment *l,
                          const struct experiment_look *look)
{
    struct kept_look kept;
    memset(&kept, 0, sizeof kept);
    kept.version = LOOK_VERSION;
    kept.size = sizeof kept;
    kept.started_at = l->started_at;
    kept.step = (int64_t)l->rules.step;
    kept.look = *look;
    for (size_t i = 0; i < l->rules.plan.guardrail_count; i++) {
        kept.frozen[i] = l->rules.guardrails[i].frozen;
        kept.thresholds[i] = l->rules.guardrails[i].threshold;
    }
    const struct series_record record = {key_of(x, l->uid), look->end_ms, "", &kept, sizeof kept};
    struct series_append a = {.records = &record, .n = 1};
    if (!append(x, &a))
        log_text(LOG_WARN, "experiment_look_not_kept", a.err.detail);
}

void experiment_looks_forget(struct experiments *x, uint64_t uid, int64_t before_ms)
{
    const struct series_trim trim = {key_of(x, uid), before_ms};
    struct series_append a = {.trims = &trim, .n_trims = 1};
    if (!append(x, &a))
        log_text(LOG_WARN, "experiment_looks_not_forgotten", a.err.detail);
}

/* [store] */
static bool take_again(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                       size_t len)
{
    struct live_experiment *l = ctx;
    struct kept_look kept;
    (void)key, (void)at, (void)id;
    if (len != sizeof kept)
        return true;
    memcpy(&kept, data, sizeof kept);
    if (kept.version != LOOK_VERSION || kept.size != sizeof kept ||
        kept.started_at != l->started_at)
        return true;
    for (size_t i = 0; i < l->rules.plan.guardrail_count; i++)
        if (kept.frozen[i] && !l->rules.guardrails[i].frozen)
            guardrail_freeze(&l->rules.guardrails[i], kept.thresholds[i]);
    while ((int64_t)l->rules.step < kept.step && l->rules.step + 1 < l->rules.plan.step_count)
        experiment_advance(&l->rules);
    (void)experiment_take(&l->rules, &kept.look, kept.look.end_ms);
    return true;
}

static void read_done(struct series_read *r)
{
    latch_open(r->owner);
}

void experiment_looks_replay(struct experiments *x, struct live_experiment *l)
{
    struct latch done;
    struct series_read r = {.key = key_of(x, l->uid),
                            .from = l->started_at,
                            .each = take_again,
                            .ctx = l,
                            .done = read_done,
                            .owner = &done};
    latch_init(&done);
    x->config.store->ops->read(x->config.store, &r);
    latch_wait(&done);
    if (!r.ok)
        log_text(LOG_ERROR, "experiment_looks_lost", r.err.detail);
}
