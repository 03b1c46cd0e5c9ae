/* The looks of an experiment in the store: what its evidence is made of again after a restart. */
#include "base/log.h"
#include "selection/experiments_impl.h"
#include "store/nodes.h"
#include "store/wait.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define LOOK_VERSION 2
#define LOOKS_BYTES  ((size_t)1 << 30) /* of one experiment: 360 an hour, some kB each */

/* As stored: read only by the program that knows this very form. */
struct kept_pair {
    uint64_t treatment; /* its number */
    struct experiment_look look;
    int32_t thresholds[EXPERIMENT_GUARDRAILS];
    uint8_t frozen[EXPERIMENT_GUARDRAILS];
};

struct kept_look {
    uint32_t version, pair_size;
    int64_t started_at, step;
    uint64_t n;
    struct kept_pair pairs[EXPERIMENT_TREATMENTS_MAX]; /* as many as there are */
    /* Behind them, where nodes share the store: u64, facts up to this one are in it. */
};

static const char *key_of(struct experiments *x, uint64_t uid)
{
    return arena_printf(x->arena, "x/%" PRIu64, uid);
}

static size_t size_of(uint64_t pairs)
{
    return offsetof(struct kept_look, pairs) + pairs * sizeof(struct kept_pair);
}

static void keep_pair(struct kept_pair *out, size_t treatment, const struct experiment_rules *r,
                      const struct experiment_look *look)
{
    out->treatment = treatment;
    out->look = *look;
    for (size_t i = 0; i < r->plan.guardrail_count; i++) {
        out->frozen[i] = r->guardrails[i].frozen;
        out->thresholds[i] = r->guardrails[i].threshold;
    }
}

bool experiment_look_keep(struct experiments *x, struct live_experiment *l,
                          const struct experiment_look *looks, uint64_t upto)
{
    char bytes[sizeof(struct kept_look) + sizeof upto];
    struct kept_look kept;
    memset(&kept, 0, sizeof kept);
    kept.version = LOOK_VERSION;
    kept.pair_size = sizeof kept.pairs[0];
    kept.started_at = l->started_at;
    for (size_t i = 0; i < l->spec.treatment_count; i++)
        if (!l->spec.treatments[i].out_order) {
            kept.step = (int64_t)l->rules[i].step;
            keep_pair(&kept.pairs[kept.n++], i, &l->rules[i], &looks[i]);
        }
    if (kept.n == 0)
        return true;
    const bool shared = store_shared(x->config.store);
    const size_t len = size_of(kept.n);
    memcpy(bytes, &kept, len);
    memcpy(bytes + len, &upto, sizeof upto);
    const struct series_record record = {key_of(x, l->uid), kept.pairs[0].look.end_ms, "", bytes,
                                         len + (shared ? sizeof upto : 0)};
    struct series_append a = {.records = &record, .n = 1, .duty = true};
    if (store_append_wait(x->config.store, &a, NULL)) {
        l->looked_at = record.at;
        l->upto = upto;
        return true;
    }
    if (a.err.kind == &ERR_BUSY && !store_decides(x->config.store))
        return false;
    log_text(LOG_WARN, "experiment_look_not_kept", a.err.detail);
    return !shared;
}

void experiment_looks_forget(struct experiments *x, uint64_t uid, int64_t before_ms)
{
    const struct series_trim trim = {key_of(x, uid), before_ms};
    struct series_append a = {.trims = &trim, .n_trims = 1, .duty = true};
    if (!store_decides(x->config.store))
        return;
    if (!store_append_wait(x->config.store, &a, NULL))
        log_text(LOG_WARN, "experiment_looks_not_forgotten", a.err.detail);
}

static void take_pair(struct experiment_rules *r, const struct kept_pair *pair, int64_t step)
{
    for (size_t i = 0; i < r->plan.guardrail_count; i++)
        if (pair->frozen[i] && !r->guardrails[i].frozen)
            guardrail_freeze(&r->guardrails[i], pair->thresholds[i]);
    while ((int64_t)r->step < step && r->step + 1 < r->plan.step_count)
        experiment_advance(r);
    (void)experiment_take(r, &pair->look, pair->look.end_ms);
}

static void take_again(struct live_experiment *l, const void *data, size_t len)
{
    struct kept_look kept;
    uint64_t upto = 0;
    if (len < size_of(1) || len > sizeof kept + sizeof upto)
        return;
    memcpy(&kept, data, len < sizeof kept ? len : sizeof kept);
    if (kept.n <= EXPERIMENT_TREATMENTS_MAX && len == size_of(kept.n) + sizeof upto) {
        len -= sizeof upto;
        memcpy(&upto, (const char *)data + len, sizeof upto);
    }
    if (kept.version != LOOK_VERSION || kept.pair_size != sizeof kept.pairs[0] ||
        kept.started_at != l->started_at || kept.n > EXPERIMENT_TREATMENTS_MAX ||
        len != size_of(kept.n))
        return;
    for (size_t i = 0; i < kept.n; i++)
        if (kept.pairs[i].treatment < l->spec.treatment_count)
            take_pair(&l->rules[kept.pairs[i].treatment], &kept.pairs[i], kept.step);
    l->upto = upto > l->upto ? upto : l->upto;
}

/* Looks as they come from the store: they are taken when all are here, under the lock. */
struct reading {
    struct arena *arena;
    struct read_look {
        struct read_look *next;
        int64_t at;
        const void *data;
        size_t len;
    } * first, **last;
};

/* [store] */
static bool read_look(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    struct reading *r = ctx;
    struct read_look *one = arena_zero(r->arena, sizeof *one);
    (void)key, (void)id;
    *one = (struct read_look){.at = at, .data = arena_copy(r->arena, data, len), .len = len};
    *r->last = one;
    r->last = &one->next;
    return true;
}

bool experiment_looks_replay(struct experiments *x, struct live_experiment *l)
{
    struct reading looks = {.arena = arena_new(LOOKS_BYTES), .last = &looks.first};
    struct series_read r = {.key = key_of(x, l->uid),
                            .from = l->looked_at ? l->looked_at + 1 : l->started_at,
                            .each = read_look,
                            .ctx = &looks};
    bool ok = store_read_wait(x->config.store, &r, NULL);
    pthread_mutex_lock(&x->lock);
    for (const struct read_look *one = looks.first; one; one = one->next) {
        take_again(l, one->data, one->len);
        l->looked_at = one->at;
    }
    pthread_mutex_unlock(&x->lock);
    arena_free(looks.arena);
    if (!ok)
        log_text(LOG_ERROR, "experiment_looks_lost", r.err.detail);
    return ok;
}
