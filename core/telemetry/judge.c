/* The judge: who is judged when, and when a change of status is believed. */
#include "telemetry/arm.h"
#include "telemetry/health.h"
#include "telemetry/internal.h"
#include "telemetry/validated.h"

#include "base/cond.h"
#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is remembered of a model between judgements. */
struct standing {
    uint64_t uid;
    enum health_status believed, heard; /* heard: what the last judgements said */
    int in_a_row;                       /* so many of them */
    bool known;                         /* told the engine once */
    unsigned round;                     /* last round that saw the model */
};

struct health_judge {
    struct health_config config;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stopping;
    struct standing *standings; /* ascending by uid */
    size_t n, cap;
};

/* One model of a round, copied out of the view so that the view is not held meanwhile. */
struct subject {
    char *ns, *model_id, *baseline_id;
    uint64_t uid, baseline_uid;
    struct slo slo;
    struct health_validated validated;
};

struct round {
    struct health_judge *judge;
    const struct view *view;
    struct subject *list;
    size_t n, cap;
    struct live **live; /* ascending by uid */
    bool *found;        /* by place in `live`: a model of the view */
    size_t n_live;
    uint64_t newest; /* greatest uid of a model in the view */
};

static double set_or(double value, double fallback)
{
    return isnan(value) ? fallback : value;
}

/* Only what serves can lack traffic: elsewhere no least rate is demanded. */
static struct slo slo_of(const struct health_judge *j, const struct view *v, const struct model *m)
{
    struct slo slo = j->config.defaults;
    const struct registered_model *name = view_registered_model(v, m->entity.ns, m->name);
    if (name) {
        slo.latency_p95_ms = set_or(name->slo.latency_p95_ms, slo.latency_p95_ms);
        slo.latency_p99_ms = set_or(name->slo.latency_p99_ms, slo.latency_p99_ms);
        slo.error_rate_ratio = set_or(name->slo.error_rate_ratio, slo.error_rate_ratio);
        slo.min_inferences_per_minute =
            set_or(name->slo.min_inferences_per_minute, slo.min_inferences_per_minute);
    }
    if (m->status != STATUS_CANARY && m->status != STATUS_STABLE)
        slo.min_inferences_per_minute = NAN;
    return slo;
}

/* The model's own baseline, else the name's stable; never itself. */
static const struct model *baseline_of(const struct view *v, const struct model *m)
{
    const struct registered_model *name = view_registered_model(v, m->entity.ns, m->name);
    const char *id = m->baseline_model_id ? m->baseline_model_id
                     : name               ? name->stable_model_id
                                          : NULL;
    const struct model *baseline = id ? view_model(v, m->entity.ns, id) : NULL;
    return baseline == m ? NULL : baseline;
}

/* --- hysteresis --- */

/* Where a uid is, or belongs. Under the lock. */
static size_t standing_place(const struct health_judge *j, uint64_t uid)
{
    size_t lo = 0, hi = j->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (j->standings[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct standing *standing_of(struct health_judge *j, uint64_t uid, bool make)
{
    size_t at = standing_place(j, uid);
    if (at < j->n && j->standings[at].uid == uid)
        return &j->standings[at];
    if (!make)
        return NULL;
    GROW(j->standings, j->n, j->cap);
    memmove(&j->standings[at + 1], &j->standings[at], (j->n - at) * sizeof *j->standings);
    j->n++;
    j->standings[at] =
        (struct standing){.uid = uid, .believed = HEALTH_UNKNOWN, .heard = HEALTH_UNKNOWN};
    return &j->standings[at];
}

/* Take in a judgement; true if the believed status changed. To and from `unknown` is believed at
 * once: there is nothing to flap between. */
static bool hear(struct standing *s, enum health_status heard)
{
    s->in_a_row = heard == s->heard ? s->in_a_row + 1 : 1;
    s->heard = heard;
    if (heard == s->believed)
        return false;
    bool at_once = heard == HEALTH_UNKNOWN || s->believed == HEALTH_UNKNOWN;
    int needed = at_once ? 1 : heard > s->believed ? HEALTH_WORSE_AFTER : HEALTH_BETTER_AFTER;
    if (s->in_a_row < needed)
        return false;
    s->believed = heard;
    return true;
}

/* --- telling the engine --- */

static void told(struct command *c)
{
    arena_free(c->arena); /* the command lies in it */
}

static const char *worst_sentence(const struct health_report *h)
{
    for (int status = CHECK_FAIL; status >= CHECK_PASS; status--)
        for (int i = 0; i < HEALTH_CHECKS; i++)
            if ((int)h->checks[i].status == status)
                return h->checks[i].detail;
    return "nothing is known";
}

static void tell(struct health_judge *j, const struct subject *s, const struct health_report *h)
{
    struct err e = {0};
    struct arena *a = arena_new(1 << 20);
    struct command *c = arena_zero(a, sizeof *c);
    struct health_change *change = arena_zero(a, sizeof *change);
    *change = (struct health_change){.model_id = arena_text(a, s->model_id),
                                     .uid = s->uid,
                                     .status = health_status_name(h->status),
                                     .summary = arena_text(a, worst_sentence(h))};
    *c = (struct command){.arena = a,
                          .ns = arena_text(a, s->ns),
                          .actor = {"server", "health", NULL},
                          .request_id = "",
                          .if_match = -1,
                          .id = change->model_id,
                          .args = change,
                          .decide = health_changed,
                          .duty = true,
                          .done = told};
    if (!engine_submit(j->config.engine, c, &e)) {
        log_text(LOG_WARN, "health_not_journalled", e.detail);
        arena_free(a);
    }
}

/* --- a round --- */

static int by_uid(const void *a, const void *b)
{
    uint64_t x = (*(struct live *const *)a)->uid, y = (*(struct live *const *)b)->uid;
    return (x > y) - (x < y);
}

/* Place of a uid in `live`, or n_live. */
static size_t live_place(const struct round *r, uint64_t uid)
{
    size_t lo = 0, hi = r->n_live;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->live[mid]->uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->n_live && r->live[lo]->uid == uid ? lo : r->n_live;
}

static bool take_subject(const struct entity *entity, void *ctx)
{
    struct round *r = ctx;
    const struct model *m = model_of(entity), *baseline;
    size_t place = live_place(r, entity->uid);
    if (entity->uid > r->newest)
        r->newest = entity->uid;
    if (place == r->n_live)
        return true;
    r->found[place] = true;
    GROW(r->list, r->n, r->cap);
    baseline = baseline_of(r->view, m);
    r->list[r->n++] = (struct subject){
        .ns = mem_text(entity->ns),
        .model_id = mem_text(entity->id),
        .baseline_id = mem_text(baseline ? baseline->entity.id : NULL),
        .uid = entity->uid,
        .baseline_uid = baseline ? baseline->entity.uid : 0,
        .slo = slo_of(r->judge, r->view, m),
    };
    health_validated(view_validation(r->view, m), &r->list[r->n - 1].validated);
    return true;
}

static void judge_one(struct round *r, const struct subject *s, struct arm *own, struct arm *theirs,
                      unsigned number)
{
    struct health_judge *j = r->judge;
    struct health_report h;
    int64_t now = clock_wall_ms(j->config.clock);
    size_t place = s->baseline_uid ? live_place(r, s->baseline_uid) : r->n_live;
    struct live *baseline = place < r->n_live ? r->live[place] : NULL;
    arm_read(own, r->live[live_place(r, s->uid)], now);
    if (baseline)
        arm_read(theirs, baseline, now);
    memset(&h, 0, sizeof h);
    health_judge(&own->view, baseline ? &theirs->view : NULL, &s->slo, &s->validated, now, &h);
    pthread_mutex_lock(&j->lock);
    struct standing *standing = standing_of(j, s->uid, true);
    bool changed =
        hear(standing, h.status) || (!standing->known && standing->believed != HEALTH_UNKNOWN);
    standing->known |= changed;
    standing->round = number;
    h.status = standing->believed;
    pthread_mutex_unlock(&j->lock);
    if (changed && store_decides(j->config.telemetry->config.store))
        tell(j, s, &h);
}

/* Models that are no more: telemetry forgets their windows, the judge their standing. The live ones
 * were listed before the view was taken, so one that is not in the view was deleted, not registered
 * meanwhile; unless another node has registered it, and its figures were faster than the journal:
 * then its uid is greater than all that are known here. */
static void forget_gone(struct round *r, unsigned number)
{
    struct health_judge *j = r->judge;
    size_t kept = 0;
    for (size_t i = 0; i < r->n_live; i++)
        if (!r->found[i] && r->live[i]->uid <= r->newest)
            telemetry_forget(j->config.telemetry, r->live[i]->uid);
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->n; i++)
        if (j->standings[i].round == number)
            j->standings[kept++] = j->standings[i];
    j->n = kept;
    pthread_mutex_unlock(&j->lock);
}

static void run_round(struct health_judge *j, struct view_reader *reader, struct arm *own,
                      struct arm *theirs, unsigned number)
{
    struct round r = {.judge = j};
    r.live = models_all(&j->config.telemetry->models, &r.n_live);
    r.found = mem_zero(r.n_live + 1, sizeof *r.found);
    if (r.n_live)
        qsort(r.live, r.n_live, sizeof(struct live *), by_uid);
    r.view = view_enter(reader);
    view_each(r.view, ENTITY_MODEL, take_subject, &r);
    view_leave(reader);
    for (size_t i = 0; i < r.n; i++) {
        judge_one(&r, &r.list[i], own, theirs, number);
        free(r.list[i].ns);
        free(r.list[i].model_id);
        free(r.list[i].baseline_id);
    }
    forget_gone(&r, number);
    for (size_t i = 0; i < r.n_live; i++)
        live_release(r.live[i], &j->config.telemetry->rings);
    free(r.live);
    free(r.found);
    free(r.list);
}

/* What is believed is told once more. */
static void forget_told(struct health_judge *j)
{
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->n; i++)
        j->standings[i].known = false;
    pthread_mutex_unlock(&j->lock);
}

static void *judge_main(void *arg)
{
    struct health_judge *j = arg;
    struct view_reader *reader = engine_join(j->config.engine);
    struct arm *own = mem_zero(2, sizeof *own), *theirs = own + 1;
    arm_init(own);
    arm_init(theirs);
    bool led = false;
    for (unsigned number = 1;
         reader && cond_rest(&j->wake, &j->lock, &j->stopping, HEALTH_EVERY_MS); number++) {
        bool leads = store_decides(j->config.telemetry->config.store);
        if (leads && !led)
            forget_told(j); /* another has told meanwhile, perhaps otherwise */
        led = leads;
        run_round(j, reader, own, theirs, number);
    }
    if (!reader)
        log_event(LOG_ERROR, "health_judge_off", "\"detail\":\"too many readers of views\"");
    else
        engine_part(reader);
    arm_release(own);
    arm_release(theirs);
    free(own);
    return NULL;
}

struct health_judge *health_judge_start(const struct health_config *config, struct err *e)
{
    struct health_judge *j = mem_zero(1, sizeof *j);
    j->config = *config;
    pthread_mutex_init(&j->lock, NULL);
    cond_init(&j->wake);
    if (thread_start(&j->thread, "judge", THREAD_LATER, judge_main, j, e))
        return j;
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j);
    return NULL;
}

void health_judge_stop(struct health_judge *j)
{
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j->standings);
    free(j);
}

void health_read(struct health_judge *j, const struct view *v, const struct model *m,
                 struct health_report *out)
{
    struct models *models = &j->config.telemetry->models;
    const struct model *baseline = baseline_of(v, m);
    const struct slo slo = slo_of(j, v, m);
    int64_t now = clock_wall_ms(j->config.clock);
    struct live *own_live = models_find(models, m->entity.uid);
    struct live *their_live = baseline ? models_find(models, baseline->entity.uid) : NULL;
    struct arm *own = mem_zero(2, sizeof *own), *theirs = own + 1;
    arm_init(own);
    arm_init(theirs);
    arm_read(own, own_live, now);
    if (their_live)
        arm_read(theirs, their_live, now);
    struct health_validated validated;
    health_validated(view_validation(v, m), &validated);
    memset(out, 0, sizeof *out);
    health_judge(&own->view, their_live ? &theirs->view : NULL, &slo, &validated, now, out);
    if (baseline)
        memcpy(out->baseline_model_id, baseline->entity.id, strlen(baseline->entity.id) + 1);
    pthread_mutex_lock(&j->lock);
    const struct standing *standing = standing_of(j, m->entity.uid, false);
    if (standing)
        out->status = standing->believed;
    pthread_mutex_unlock(&j->lock);
    if (own_live)
        live_release(own_live, &j->config.telemetry->rings);
    if (their_live)
        live_release(their_live, &j->config.telemetry->rings);
    arm_release(own);
    arm_release(theirs);
    free(own);
}
