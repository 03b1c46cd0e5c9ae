/* One scan of the places of all runs says which models have old ones; these are then gone through
 * one by one, some runs at a time, each step a transaction of its own. A crash in between leaves
 * the rest to the next sweep. */
#include "validation/retention.h"

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/baseline.h"
#include "registry/validation_summary.h"
#include "store/wait.h"
#include "validation/inner.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE        200 /* runs of one transaction */
#define PLACE_ARENA    ((size_t)16 << 20)
#define CITATIONS_MAX  1000 /* promotions of one model that are looked through */
#define CITATIONS_SIZE ((size_t)64 << 20)

struct owner {
    uint64_t uid;
    char *ns, *model_id; /* one block with the struct */
};

struct sweep {
    struct mail mail;
    struct validation *v;
    int64_t before; /* ms */
    struct map *owners;
    struct map *kept; /* ids of the model's runs that stay */
    size_t removed, aside;
};

/* --- whose runs are old --- */

struct scanning {
    struct sweep *sweep;
    struct arena *arena;
};

/* [store] */
static bool note_owner(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                       size_t len)
{
    struct scanning *s = ctx;
    const struct run_text t = {at, id, data, len};
    struct run_place place;
    (void)key;
    arena_reset(s->arena);
    if (!run_place_read(&t, s->arena, &place) || place.at >= s->sweep->before ||
        map_get(s->sweep->owners, &place.uid, sizeof place.uid))
        return true;
    size_t ns = strlen(place.ns) + 1, model = strlen(place.model_id) + 1;
    struct owner *o = mem_zero(1, sizeof *o + ns + model);
    o->uid = place.uid;
    o->ns = memcpy((char *)(o + 1), place.ns, ns);
    o->model_id = memcpy(o->ns + ns, place.model_id, model);
    map_set(s->sweep->owners, &o->uid, sizeof o->uid, o);
    return true;
}

static bool find_owners(struct sweep *sweep, struct err *e)
{
    struct scanning s = {.sweep = sweep, .arena = arena_new(PLACE_ARENA)};
    struct series_read q = {.key = RUN_PLACES, .each = note_owner, .ctx = &s};
    bool ok = store_read_wait(sweep->v->config.store, &q, e);
    arena_free(s.arena);
    return ok;
}

/* --- which of a model's runs stay --- */

static void keep(struct sweep *s, const char *run_id)
{
    if (run_id)
        map_set(s->kept, run_id, strlen(run_id), s);
}

static bool note_pinned(const struct entity *entity, void *ctx)
{
    keep(ctx, baseline_of(document_of(entity))->run_id);
    return true;
}

static void keep_named(struct sweep *s, const struct owner *o)
{
    const struct view *v = view_enter(s->v->judge_reader);
    const struct model *m = view_model(v, o->ns, o->model_id);
    const struct validation_summary *sum =
        m && m->entity.uid == o->uid ? view_validation(v, m) : NULL;
    if (sum) {
        keep(s, sum->last.run_id);
        keep(s, sum->complete.run_id);
        keep(s, sum->blocking.run_id);
    }
    view_each_of(v, ENTITY_BASELINE, o->ns, note_pinned, s);
    view_leave(s->v->judge_reader);
}

/* What the model, or others of its name, are compared with. */
static void keep_newest_passed(struct sweep *s, const struct owner *o)
{
    struct arena *a = arena_new(RUN_ARENA_MAX);
    struct run_range range = {.uid = o->uid, .newest_first = true, .limit = BASE_LOOKED_AT};
    struct run_text *list;
    struct run r;
    size_t n = 0;
    bool found = false;
    if (!run_list(s->v->config.store, &range, a, &list, &n, NULL, NULL))
        n = 0;
    for (size_t i = 0; i < n && !found; i++)
        found = run_decode(list[i].text, list[i].len, a, &r, NULL) && run_may_be_baseline(&r);
    if (found)
        keep(s, r.run_id);
    arena_free(a);
}

static void keep_cited_by(struct sweep *s, const struct journal_entry *entry)
{
    json_t *text = json_read(entry->text, entry->text_len, NULL);
    const json_t *evidence = json_object_get(text, "evidence"), *one;
    size_t i;
    keep(s, json_string_value(json_object_get(evidence, "run_id")));
    json_array_foreach(json_object_get(evidence, "conditions"), i, one)
        keep(s, json_string_value(json_object_get(one, "run_id")));
    json_decref(text);
}

static bool keep_cited(struct sweep *s, const struct owner *o, const char *action)
{
    struct arena *a = arena_new(CITATIONS_SIZE);
    struct journal_read r = {.query = {.ns = o->ns,
                                       .entity = "model",
                                       .entity_id = o->model_id,
                                       .action = action,
                                       .newest_first = true,
                                       .limit = CITATIONS_MAX},
                             .arena = a};
    bool ok = store_journal_wait(s->v->config.store, &r, NULL);
    for (size_t i = 0; ok && i < r.n; i++)
        keep_cited_by(s, &r.entries[i]);
    bool all = ok && !r.more;
    if (!all)
        log_text(LOG_WARN, "run_retention_journal", ok ? "too many promotions" : r.err.detail);
    arena_free(a);
    return all;
}

/* --- one model --- */

static bool is_kept(const struct sweep *s, const struct run_text *t)
{
    return map_get(s->kept, t->run_id, strlen(t->run_id)) != NULL;
}

static bool remove_some(struct sweep *s, const struct owner *o, struct run_text *list, size_t n,
                        struct arena *a, struct err *e)
{
    bool *aside = arena_zero(a, (n + 1) * sizeof *aside);
    for (size_t i = 0; i < n; i++) {
        aside[i] = is_kept(s, &list[i]);
        s->aside += aside[i];
        s->removed += !aside[i];
    }
    return run_remove(s->v->config.store, o->uid, list, aside, n, a, e);
}

/* Runs of the same millisecond go together: what a cut list may have left out waits. */
static size_t whole_times(const struct run_text *list, size_t n, bool more)
{
    size_t whole = n;
    while (more && whole && list[whole - 1].at == list[n - 1].at)
        whole--;
    return whole ? whole : n;
}

static bool sweep_model(struct sweep *s, const struct owner *o, struct err *e)
{
    bool ok = true, more = true;
    s->kept = map_new();
    keep_named(s, o);
    keep_newest_passed(s, o);
    more = keep_cited(s, o, "model.promoted") && keep_cited(s, o, "gate.forced");
    while (ok && more) {
        struct arena *a = arena_new(RUN_ARENA_MAX);
        struct run_range range = {.uid = o->uid, .to = s->before, .limit = AT_ONCE};
        struct run_text *list;
        size_t n;
        ok = run_list(s->v->config.store, &range, a, &list, &n, &more, e);
        if (ok && n)
            ok = remove_some(s, o, list, whole_times(list, n, more), a, e);
        arena_free(a);
    }
    map_free(s->kept);
    return ok;
}

/* --- a sweep --- */

/* [supervisor] */
static void swept(struct mail *m)
{
    struct sweep *s = (struct sweep *)(void *)m;
    const void *key;
    size_t at = 0, len;
    void *value;
    if (s->removed)
        log_event(LOG_INFO, "runs_removed", "\"runs\":%zu,\"put_aside\":%zu", s->removed, s->aside);
    while (map_next(s->owners, &at, &key, &len, &value))
        free(value);
    map_free(s->owners);
    supervisor_errand_comes(s->v);
    free(s);
}

/* [verdicts] A model a turn, so that runs that wait for the thread get theirs. */
static void turn(struct mail *m)
{
    struct sweep *s = (struct sweep *)(void *)m;
    const void *key;
    size_t at = 0, len;
    void *owner = NULL;
    struct err e = {0};
    bool ok = !map_next(s->owners, &at, &key, &len, &owner) || sweep_model(s, owner, &e);
    if (!ok)
        log_text(LOG_WARN, "run_retention_failed", e.detail);
    if (owner) {
        map_remove(s->owners, &((struct owner *)owner)->uid, sizeof(uint64_t));
        free(owner);
    }
    if (owner && pool_submit(s->v->verdicts, &s->mail))
        return;
    s->mail.run = swept;
    supervisor_post(s->v, &s->mail);
}

/* [verdicts] */
static void begin(struct mail *m)
{
    struct sweep *s = (struct sweep *)(void *)m;
    struct err e = {0};
    if (!find_owners(s, &e) || !run_forget_nights(s->v->config.store, s->before, &e))
        log_text(LOG_WARN, "run_retention_failed", e.detail);
    s->mail.run = turn;
    if (pool_submit(s->v->verdicts, &s->mail))
        return;
    s->mail.run = swept;
    supervisor_post(s->v, &s->mail);
}

void retention_tick(struct validation *v, int64_t now_ms)
{
    if (!v->config.keep_runs_ms || now_ms < v->sweep_at)
        return;
    struct sweep *s = mem_zero(1, sizeof *s);
    v->sweep_at = now_ms + DAY_MS;
    *s = (struct sweep){
        .mail.run = begin, .v = v, .before = now_ms - v->config.keep_runs_ms, .owners = map_new()};
    supervisor_errand_goes(v);
    if (pool_submit(v->verdicts, &s->mail))
        return;
    s->mail.run = swept;
    supervisor_post(v, &s->mail);
}
