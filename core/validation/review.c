/* Two passes, so that the series of all names need not be in memory at once: the first one keeps
 * what was judged of each series, 64 bytes; the second one reads the names that alarm again, and
 * tells. Other work of the thread gets its turn after every few names. */
#include "validation/review.h"

#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/alert.h"
#include "validation/inner.h"
#include "validation/night.h"
#include "validation/report.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE       8 /* names of one turn */
#define VERSIONS_MAX  16
#define SERIES_BYTES  ((size_t)16 << 20) /* text of the runs of one version */
#define LOOK_BACK_MS  (400 * DAY_MS)
#define ALARMS_MAX    1000 /* of one name, that are described */
#define NIGHT_TRIGGER RUN_TRIGGERS[1]

struct name {
    char *name, *stable_id;
    size_t first, n; /* its series, in `judged` */
    bool fresh;      /* it was measured this night */
};

struct review {
    struct mail mail;
    struct validation *v;
    char *ns;
    int64_t since;
    struct name *names;
    size_t n, cap, at;
    struct nightly *judged;
    size_t n_judged, cap_judged;
    bool *alarm; /* NULL: first pass */
    void (*done)(void *owner);
    void *owner;
};

static void review_free(struct review *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->names[i].name);
        free(r->names[i].stable_id);
    }
    free(r->names);
    free(r->judged);
    free(r->alarm);
    free(r->ns);
    free(r);
}

/* --- the names --- */

static bool note_name(const struct entity *entity, void *ctx)
{
    struct review *r = ctx;
    const struct registered_model *name = registered_model_of(entity);
    if (!name->stable_model_id)
        return true;
    GROW(r->names, r->n, r->cap);
    r->names[r->n++] =
        (struct name){.name = mem_text(entity->id), .stable_id = mem_text(name->stable_model_id)};
    return true;
}

/* --- the runs of a name --- */

/* The stable version and those that are no longer in service, newest first. */
struct versions {
    const char *stable_id;
    uint64_t uids[VERSIONS_MAX];
    size_t n;
};

static bool note_version(const struct model *m, void *ctx)
{
    struct versions *all = ctx;
    if (m->status == STATUS_DEPRECATED || m->status == STATUS_RETIRED ||
        strcmp(m->entity.id, all->stable_id) == 0)
        all->uids[all->n++] = m->entity.uid;
    return all->n < VERSIONS_MAX;
}

struct dated {
    struct run run;
    uint64_t uid;
};

static int by_time(const void *a, const void *b)
{
    const struct dated *x = a, *y = b;
    if (x->run.queued_at != y->run.queued_at)
        return (x->run.queued_at > y->run.queued_at) - (x->run.queued_at < y->run.queued_at);
    return (x->uid > y->uid) - (x->uid < y->uid);
}

static bool is_of_a_night(const struct run *r)
{
    return strcmp(r->trigger, NIGHT_TRIGGER) == 0 && r->batch_id && r->finished_at && !r->trial &&
           strcmp(r->status, "cancelled") != 0;
}

static void add_runs(const struct review *r, uint64_t uid, struct arena *a, struct dated *out,
                     size_t *n)
{
    struct run_text *list;
    struct err e = {0};
    size_t len;
    struct run_range range = {.uid = uid,
                              .from = r->since - LOOK_BACK_MS,
                              .newest_first = true,
                              .limit = NIGHTLY_MOST,
                              .bytes_max = SERIES_BYTES};
    if (!run_list(r->v->config.store, &range, a, &list, &len, NULL, &e)) {
        log_text(LOG_WARN, "night_history_not_read", e.detail);
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (run_decode(list[i].text, list[i].len, a, &out[*n].run, NULL) &&
            is_of_a_night(&out[*n].run))
            out[(*n)++].uid = uid;
}

/* One run a night: of two versions of the same night the older one was the stable, the newer one
 * still its canary. */
static bool is_of_canary(const struct dated *all, size_t n, size_t i)
{
    for (size_t k = 0; k < n; k++)
        if (all[k].uid < all[i].uid && strcmp(all[k].run.batch_id, all[i].run.batch_id) == 0)
            return true;
    return false;
}

/* The series of a name; what they point to is in `a`. */
static void read_series(const struct review *r, const struct name *name, struct arena *a,
                        struct history *h)
{
    struct versions all = {.stable_id = name->stable_id};
    struct dated *runs = arena_zero(a, VERSIONS_MAX * NIGHTLY_MOST * sizeof *runs);
    size_t n = 0;
    view_versions_back(view_enter(r->v->judge_reader), r->ns, name->name, note_version, &all);
    view_leave(r->v->judge_reader);
    for (size_t i = 0; i < all.n; i++)
        add_runs(r, all.uids[i], a, runs, &n);
    if (n)
        qsort(runs, n, sizeof *runs, by_time);
    for (size_t i = 0; i < n; i++)
        if (!is_of_canary(runs, n, i) && !history_add(h, &runs[i].run))
            return;
}

/* --- first pass: judge --- */

static void judge_name(struct review *r, struct name *name, struct arena *a)
{
    struct history *h = history_new();
    read_series(r, name, a, h);
    name->first = r->n_judged;
    name->n = history_count(h);
    for (size_t i = 0; i < name->n; i++) {
        const struct history_series *s = history_at(h, i);
        GROW(r->judged, r->n_judged, r->cap_judged);
        r->judged[r->n_judged++] = night_look(s, r->since);
        name->fresh |= s->points[s->len - 1].at >= r->since;
    }
    history_free(h);
}

/* --- second pass: tell --- */

/* The sentence about what alarms, or NULL: it is too little to be told. */
static const char *sentence_of(struct review *r, const struct name *name, struct arena *a)
{
    struct history *h = history_new();
    struct night_alarm *alarms = mem_zero(ALARMS_MAX, sizeof *alarms);
    size_t n = 0;
    read_series(r, name, a, h);
    for (size_t i = 0; i < name->n && i < history_count(h) && n < ALARMS_MAX; i++)
        if (r->alarm[name->first + i])
            n += night_describe(history_at(h, i), &r->judged[name->first + i], NULL, &alarms[n]);
    const char *sentence = n ? report_alarms(alarms, n, a) : NULL;
    free(alarms);
    history_free(h);
    return sentence;
}

static bool has_alarm(const struct review *r, const struct name *name)
{
    for (size_t i = 0; i < name->n; i++)
        if (r->alarm[name->first + i])
            return true;
    return false;
}

static void tell_name(struct review *r, const struct name *name, struct arena *a)
{
    const char *key = alert_key(a, "nightly", name->name);
    const char *sentence = has_alarm(r, name) ? sentence_of(r, name, a) : NULL;
    const struct view *v = view_enter(r->v->judge_reader);
    bool open = view_alert_open(v, r->ns, key) != NULL;
    view_leave(r->v->judge_reader);
    if (!sentence && !(open && name->fresh))
        return;
    struct alert_cause cause = {.kind = "regression",
                                .severity = SEVERITY_MEDIUM,
                                .dedupe_key = key,
                                .model_id = name->stable_id,
                                .summary = sentence ? sentence : ""};
    if (sentence)
        log_event(LOG_WARN, "night_alarm", NULL);
    (void)decide_and_wait(r->v, r->ns, name->stable_id, a, &cause,
                          sentence ? alert_raise : alert_resolve);
}

/* --- turns --- */

static void turn(struct mail *m);

/* [supervisor] */
static void over(struct mail *m)
{
    struct review *r = (struct review *)(void *)m;
    supervisor_errand_comes(r->v);
    if (!r->v->stopping)
        r->done(r->owner);
    review_free(r);
}

static void next_turn(struct review *r)
{
    r->mail.run = turn;
    if (r->at < r->n && pool_submit(r->v->verdicts, &r->mail))
        return;
    r->mail.run = over; /* to its end, or the server is being stopped */
    supervisor_post(r->v, &r->mail);
}

static void begin_telling(struct review *r)
{
    r->alarm = mem_zero(r->n_judged + 1, sizeof *r->alarm);
    nightly_alarms(r->judged, r->n_judged, NIGHT_RULES.false_discovery_rate, r->alarm);
    r->at = 0;
}

/* [verdicts] */
static void turn(struct mail *m)
{
    struct review *r = (struct review *)(void *)m;
    for (size_t i = 0; i < AT_ONCE && r->at < r->n; i++, r->at++) {
        struct arena *a = arena_new(RUN_ARENA_MAX);
        if (r->alarm)
            tell_name(r, &r->names[r->at], a);
        else
            judge_name(r, &r->names[r->at], a);
        arena_free(a);
    }
    if (r->at == r->n && !r->alarm)
        begin_telling(r);
    next_turn(r);
}

void review_begin(struct validation *v, const char *ns, int64_t since, void (*done)(void *owner),
                  void *owner)
{
    struct review *r = mem_zero(1, sizeof *r);
    *r = (struct review){.v = v, .ns = mem_text(ns), .since = since, .done = done, .owner = owner};
    view_each_of(view_enter(v->reader), ENTITY_REGISTERED_MODEL, ns, note_name, r);
    view_leave(v->reader);
    supervisor_errand_goes(v);
    next_turn(r);
}
