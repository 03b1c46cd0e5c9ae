/* Nights: when one is due, which models are tested, how far it is. One at a time in a namespace.
 *
 * A night begins with an entity; its runs go into the queue some at a time. A run's id is made of
 * the night's and the model's, so a restart can go through the models again: what is over is
 * counted, what waits is found waiting, and nothing runs twice. */
#include "validation/inner.h"

#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS      30000
#define LEASE_EVERY_S 10
#define LATE_MS       HOUR_MS /* a night that begins later than this was missed */

struct target {
    char *model_id;
    uint64_t uid;
    int64_t end_hour_utc;
    bool over; /* before a restart */
};

struct night {
    struct mail mail;
    struct validation *v;
    char *ns;
    char batch_id[RUN_ID_SIZE];
    int64_t hour_utc, scheduled_for, started_at; /* hour INT64_MIN: all models */
    struct target *targets;
    size_t n, cap, next, ahead; /* ahead: in the queue, or going there */
    struct nightly_counts counts;
    bool begun, again; /* again: taken up after a restart */
    struct night_wish *wish;
    struct night *following;
};

static void night_free(struct night *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->targets[i].model_id);
    free(n->targets);
    free(n->ns);
    free(n);
}

bool nights_ready(const struct validation *v)
{
    for (const struct night *n = v->nights; n; n = n->following)
        if (n->again && !n->begun)
            return false;
    return true;
}

void nights_free(struct validation *v)
{
    for (struct night *n = v->nights, *next; n; n = next) {
        next = n->following;
        night_free(n);
    }
    v->nights = NULL;
}

static struct night *night_of(struct validation *v, const char *ns)
{
    struct night *n = v->nights;
    while (n && strcmp(n->ns, ns) != 0)
        n = n->following;
    return n;
}

static void unlink_night(struct night *n)
{
    pthread_mutex_lock(&n->v->lock);
    for (struct night **at = &n->v->nights; *at; at = &(*at)->following)
        if (*at == n) {
            *at = n->following;
            break;
        }
    pthread_mutex_unlock(&n->v->lock);
}

/* --- who is tested --- */

struct gathering {
    struct night *night;
    const struct view *view;
};

static bool gather_target(const struct entity *entity, void *ctx)
{
    struct gathering *g = ctx;
    struct night *n = g->night;
    const struct model *m = model_of(entity);
    if (m->status != STATUS_CANARY && m->status != STATUS_STABLE)
        return true;
    const struct registered_model *r = view_registered_model(g->view, n->ns, m->name);
    struct nightly_hours h = r ? nightly_hours_of(r) : (struct nightly_hours){0, 0, -1};
    if (n->hour_utc != INT64_MIN && (!h.enabled || h.hour_utc != n->hour_utc))
        return true;
    if (n->n == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 64;
        n->targets = mem_resize(n->targets, n->cap, sizeof *n->targets);
    }
    n->targets[n->n++] = (struct target){mem_text(entity->id), entity->uid,
                                         n->hour_utc == INT64_MIN ? -1 : h.end_hour_utc, false};
    return true;
}

static void gather(struct night *n)
{
    struct gathering g = {n, view_enter(n->v->reader)};
    view_each_of(g.view, ENTITY_MODEL, n->ns, gather_target, &g);
    view_leave(n->v->reader);
    n->counts.total = (int64_t)n->n;
}

/* --- ending --- */

struct telling {
    struct mail mail;
    struct validation *v;
    struct arena *arena;
    struct command command;
    struct nightly_batch batch;
    struct night *night;
};

/* [engine] */
static void told(struct command *c)
{
    struct telling *t = c->owner;
    supervisor_post(t->v, &t->mail);
}

/* [supervisor] */
static void tell_done(struct mail *m)
{
    struct telling *t = (struct telling *)(void *)m;
    pthread_mutex_lock(&t->v->lock);
    t->v->errands--;
    pthread_mutex_unlock(&t->v->lock);
    if (!t->command.ok)
        log_text(LOG_ERROR, "night_not_journalled", t->command.err.detail);
    t->v->hour_seen = -1; /* another may have waited for this one's end */
    arena_free(t->arena);
}

/* Have the engine begin or end a night; `back` gets the mail. */
static void tell(struct night *n,
                 bool (*decide)(struct command *, struct head *, struct changes *, struct err *),
                 void (*back)(struct mail *m))
{
    struct arena *a = arena_new(16 << 20);
    struct telling *t = arena_zero(a, sizeof *t);
    struct err e = {0};
    t->v = n->v;
    t->arena = a;
    t->night = n;
    t->batch = (struct nightly_batch){.head = {.id = arena_text(a, n->batch_id)},
                                      .cause = n->scheduled_for ? "schedule" : "manual",
                                      .hour_utc = n->hour_utc,
                                      .scheduled_for = n->scheduled_for,
                                      .started_at = n->started_at,
                                      .finished_at = clock_wall_ms(n->v->config.clock),
                                      .runs = n->counts};
    if (decide == nightly_begin)
        t->batch.finished_at = 0;
    t->mail.run = back;
    t->command = (struct command){.arena = a,
                                  .ns = arena_text(a, n->ns),
                                  .actor = {"scheduler", "nightly", NULL},
                                  .request_id = "",
                                  .if_match = -1,
                                  .id = t->batch.head.id,
                                  .args = &t->batch,
                                  .decide = decide,
                                  .done = told,
                                  .owner = t};
    pthread_mutex_lock(&n->v->lock);
    n->v->errands++;
    pthread_mutex_unlock(&n->v->lock);
    if (!engine_submit(n->v->engine, &t->command, &e)) {
        t->command.err = e;
        supervisor_post(n->v, &t->mail);
    }
}

static int64_t counted(const struct nightly_counts *c)
{
    return c->passed + c->failed + c->error + c->cancelled;
}

static void end_if_over(struct night *n)
{
    if (!n->begun || n->next < n->n || n->ahead > 0)
        return;
    tell(n, nightly_end, tell_done);
    unlink_night(n);
    night_free(n);
}

/* --- its runs --- */

static void count(struct validation *v, struct nightly_counts *c, const char *status)
{
    pthread_mutex_lock(&v->lock);
    if (strcmp(status, "passed") == 0)
        c->passed++;
    else if (strcmp(status, "failed") == 0)
        c->failed++;
    else if (strcmp(status, "cancelled") == 0)
        c->cancelled++;
    else
        c->error++;
    pthread_mutex_unlock(&v->lock);
}

/* [supervisor] */
static void target_queued(struct queueing *q, const struct err *why)
{
    struct night *n = queueing_owner(q);
    if (!why)
        return;
    log_text(LOG_ERROR, "night_run_not_queued", why->detail);
    n->ahead--;
    count(n->v, &n->counts, "error");
    end_if_over(n);
}

static void queue_target(struct night *n, const struct target *t)
{
    struct validation *v = n->v;
    char run_id[RUN_ID_SIZE + 24];
    struct queueing *q = NULL;
    struct err e = {0};
    const struct view *view = view_enter(v->reader);
    const struct model *m = view_model(view, n->ns, t->model_id);
    snprintf(run_id, sizeof run_id, "%s-%" PRIu64, n->batch_id, t->uid);
    if (m && m->entity.uid == t->uid) {
        const struct run_order o = {.ns = n->ns,
                                    .model_id = t->model_id,
                                    .batch_id = n->batch_id,
                                    .run_id = run_id,
                                    .trigger = RUN_TRIGGERS[1],
                                    .until = night_until(n->started_at, t->end_hour_utc),
                                    .model = m,
                                    .view = view};
        pthread_mutex_lock(&v->lock);
        q = run_order(v, &o, &e);
        pthread_mutex_unlock(&v->lock);
    }
    view_leave(v->reader);
    if (!q) { /* deleted meanwhile, or the server is being stopped */
        count(v, &n->counts, "cancelled");
        return;
    }
    n->ahead++;
    queueing_post(q, target_queued, n);
}

static void queue_more(struct night *n)
{
    while (n->begun && n->next < n->n && n->ahead < NIGHT_AHEAD && !n->v->stopping) {
        const struct target *t = &n->targets[n->next++];
        if (!t->over)
            queue_target(n, t);
    }
    if (!n->v->stopping)
        end_if_over(n);
}

void nights_run_over(struct validation *v, const char *ns, const char *batch_id, const char *status)
{
    struct night *n = night_of(v, ns);
    if (!n || strcmp(n->batch_id, batch_id) != 0)
        return;
    if (n->ahead > 0)
        n->ahead--;
    count(v, &n->counts, status);
    queue_more(n);
}

/* --- beginning --- */

static struct night *night_new(struct validation *v, const char *ns, int64_t hour_utc,
                               int64_t scheduled_for)
{
    struct night *n = mem_zero(1, sizeof *n);
    n->v = v;
    n->ns = mem_text(ns);
    n->hour_utc = hour_utc;
    n->scheduled_for = scheduled_for;
    n->started_at = clock_wall_ms(v->config.clock);
    char id[ULID_SIZE];
    ulid_make(n->started_at, id);
    memcpy(n->batch_id, id, sizeof id);
    pthread_mutex_lock(&v->lock);
    n->following = v->nights;
    v->nights = n;
    pthread_mutex_unlock(&v->lock);
    return n;
}

static void answer(struct night *n, bool ok, const struct err *why)
{
    struct night_wish *w = n->wish;
    if (!w)
        return;
    n->wish = NULL;
    w->ok = ok;
    if (!ok)
        w->err = *why;
    memcpy(w->batch_id, n->batch_id, sizeof w->batch_id);
    w->queued = (int64_t)n->n;
    w->done(w);
}

/* [supervisor] */
static void night_begun(struct mail *m)
{
    struct telling *t = (struct telling *)(void *)m;
    struct night *n = t->night;
    pthread_mutex_lock(&t->v->lock);
    t->v->errands--;
    n->begun = t->command.ok;
    pthread_mutex_unlock(&t->v->lock);
    if (n->wish && t->command.err.members)
        n->wish->members =
            arena_text(n->wish->arena, t->command.err.members); /* the command's go with it */
    struct err why = t->command.err;
    why.members = n->wish ? n->wish->members : NULL;
    answer(n, n->begun, &why);
    if (n->begun) {
        log_event(LOG_INFO, "night_started", "\"batch_id\":\"%s\",\"models\":%zu", n->batch_id,
                  n->n);
        queue_more(n);
    } else {
        t->v->nights_blocked = true;
        unlink_night(n);
        night_free(n);
    }
    arena_free(t->arena);
}

static void take_wish(struct mail *m)
{
    struct night_wish *w = (struct night_wish *)(void *)m;
    struct validation *v = w->owner_validation;
    const struct night *running = night_of(v, w->ns);
    if (v->stopping || running) {
        w->ok = false;
        if (v->stopping)
            fail(&w->err, &ERR_BUSY, "the server is being stopped");
        else
            fail(&w->err, &NIGHTLY_RUNNING, "the night '%s' is under way", running->batch_id);
        if (running)
            w->err.members = arena_printf(w->arena, "\"batch_id\":\"%s\"", running->batch_id);
        w->done(w);
        return;
    }
    struct night *n = night_new(v, w->ns, INT64_MIN, 0);
    n->wish = w;
    gather(n);
    tell(n, nightly_begin, night_begun);
}

void validation_night(struct validation *v, struct night_wish *w)
{
    w->owner_validation = v;
    w->mail.run = take_wish;
    w->ok = false;
    if (!supervisor_ask(v, &w->mail, &w->err))
        w->done(w);
}

/* --- taking up --- */

struct found {
    struct validation *v;
};

static bool take_up(const struct entity *entity, void *ctx)
{
    struct validation *v = ((struct found *)ctx)->v;
    const struct nightly_batch *b = nightly_batch_of(document_of(entity));
    if (strcmp(b->state, "running") != 0)
        return true;
    struct night *n = night_new(v, entity->ns, b->hour_utc, b->scheduled_for);
    snprintf(n->batch_id, sizeof n->batch_id, "%s", entity->id);
    n->started_at = b->started_at;
    n->again = true;
    return true;
}

static void mark_over(struct night *n, const struct run *r, const char *run_id)
{
    const char *dash = strrchr(run_id, '-');
    uint64_t uid = dash ? strtoull(dash + 1, NULL, 10) : 0;
    for (size_t i = 0; i < n->n; i++)
        if (n->targets[i].uid == uid) {
            n->targets[i].over = true;
            count(n->v, &n->counts, r->status);
            return;
        }
    count(n->v, &n->counts, r->status); /* of a model that is served no more */
    n->counts.total++;
}

/* [verdicts] What of the night is over already? */
static void look_back(struct mail *m);

/* [supervisor] */
static void looked_back(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    pthread_mutex_lock(&n->v->lock);
    n->v->errands--;
    n->begun = true;
    pthread_mutex_unlock(&n->v->lock);
    log_event(LOG_INFO, "night_resumed", "\"batch_id\":\"%s\",\"models\":%zu,\"over\":%" PRId64,
              n->batch_id, n->n, counted(&n->counts));
    queue_more(n);
}

static void look_back(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    struct store *s = n->v->config.store;
    struct run_range range = {.batch_id = n->batch_id, .limit = 1000000};
    struct arena *a = arena_new((size_t)512 << 20), *one = arena_new(RUN_ARENA_MAX);
    struct run_text *list = NULL;
    size_t len = 0;
    struct err e = {0};
    if (!run_list(s, &range, a, &list, &len, NULL, &e))
        log_text(LOG_ERROR, "night_not_read", e.detail);
    for (size_t i = 0; i < len; i++) {
        struct run r;
        arena_reset(one);
        if (run_get(s, n->ns, list[i].run_id, one, &r, NULL) && r.finished_at)
            mark_over(n, &r, list[i].run_id);
    }
    arena_free(one);
    arena_free(a);
    m->run = looked_back;
    supervisor_post(n->v, m);
}

static void not_looked(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    pthread_mutex_lock(&n->v->lock);
    n->v->errands--;
    pthread_mutex_unlock(&n->v->lock);
}

void nights_resume(struct validation *v)
{
    struct found f = {v};
    view_each(view_enter(v->reader), ENTITY_NIGHTLY, take_up, &f);
    view_leave(v->reader);
    for (struct night *n = v->nights; n; n = n->following) {
        gather(n);
        n->mail.run = look_back;
        pthread_mutex_lock(&v->lock);
        v->errands++;
        pthread_mutex_unlock(&v->lock);
        if (!pool_submit(v->verdicts, &n->mail))
            not_looked(&n->mail);
    }
}

/* --- the schedule --- */

struct due {
    char *ns;
    int64_t hour_utc, at;
};

struct dues {
    struct due *list;
    size_t n, cap;
    const struct view *view;
    int64_t now;
};

struct serving {
    int64_t due;
    bool found;
};

/* Was a version in service when the night was due? What came later waits for the next one. */
static bool was_serving(const struct model *m, void *ctx)
{
    struct serving *s = ctx;
    s->found |= (m->status == STATUS_CANARY || m->status == STATUS_STABLE) &&
                m->status_changed_at <= s->due;
    return !s->found;
}

static bool find_due(const struct entity *entity, void *ctx)
{
    struct dues *d = ctx;
    struct nightly_hours h = nightly_hours_of(registered_model_of(entity));
    struct serving s = {.due = night_due(d->now, h.hour_utc)};
    if (!h.enabled)
        return true;
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].hour_utc == h.hour_utc && strcmp(d->list[i].ns, entity->ns) == 0)
            return true;
    if (view_nightly_held(d->view, entity->ns, h.hour_utc, s.due))
        return true;
    view_versions(d->view, entity->ns, entity->id, was_serving, &s);
    if (!s.found)
        return true;
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 8;
        d->list = mem_resize(d->list, d->cap, sizeof *d->list);
    }
    d->list[d->n++] = (struct due){mem_text(entity->ns), h.hour_utc, s.due};
    return true;
}

static void begin_due(struct validation *v, const struct due *due, int64_t now_ms)
{
    if (night_of(v, due->ns)) {
        v->nights_blocked = true;
        return;
    }
    struct night *n = night_new(v, due->ns, due->hour_utc, due->at);
    gather(n);
    if (now_ms - due->at > LATE_MS)
        log_event(LOG_WARN, "night_missed", "\"hour_utc\":%" PRId64, due->hour_utc);
    tell(n, nightly_begin, night_begun);
}

static void look_for_dues(struct validation *v, int64_t now_ms)
{
    struct dues d = {.now = now_ms};
    d.view = view_enter(v->reader);
    view_each(d.view, ENTITY_REGISTERED_MODEL, find_due, &d);
    view_leave(v->reader);
    for (size_t i = 0; i < d.n; i++) {
        begin_due(v, &d.list[i], now_ms);
        free(d.list[i].ns);
    }
    free(d.list);
}

/* --- the lease: of many nodes one begins nights --- */

struct leasing {
    struct mail mail;
    struct validation *v;
    struct lease_request request;
};

static void leased(struct mail *m)
{
    struct leasing *l = (struct leasing *)(void *)m;
    struct validation *v = l->v;
    pthread_mutex_lock(&v->lock);
    v->errands--;
    pthread_mutex_unlock(&v->lock);
    v->leasing = false;
    v->leading = l->request.ok && l->request.held;
    free(l);
}

/* [store] */
static void lease_back(struct lease_request *r)
{
    struct leasing *l = r->owner;
    l->mail.run = leased;
    supervisor_post(l->v, &l->mail);
}

static void keep_lease(struct validation *v)
{
    int64_t now = clock_mono_ns(v->config.clock);
    if (v->leasing || now < v->lease_ns)
        return;
    struct leasing *l = mem_zero(1, sizeof *l);
    l->v = v;
    l->request = (struct lease_request){.name = "nightly",
                                        .holder = v->claimant,
                                        .ttl_ms = LEASE_MS,
                                        .done = lease_back,
                                        .owner = l};
    v->leasing = true;
    v->lease_ns = now + LEASE_EVERY_S * INT64_C(1000000000);
    pthread_mutex_lock(&v->lock);
    v->errands++;
    pthread_mutex_unlock(&v->lock);
    v->config.store->ops->lease(v->config.store, &l->request);
}

/* Names are looked through when an hour begins, when a night has ended, and at the start. */
void nights_tick(struct validation *v, int64_t now_ms)
{
    keep_lease(v);
    if (!v->leading || now_ms / HOUR_MS == v->hour_seen)
        return;
    v->hour_seen = now_ms / HOUR_MS;
    look_for_dues(v, now_ms);
}

/* --- for those who ask --- */

bool validation_night_progress(struct validation *v, const char *ns, struct night_progress *out)
{
    int64_t now = clock_wall_ms(v->config.clock);
    pthread_mutex_lock(&v->lock);
    const struct night *n = night_of(v, ns);
    bool found = n && n->begun;
    if (found) {
        *out = (struct night_progress){.total = n->counts.total,
                                       .done = counted(&n->counts),
                                       .started_at = n->started_at,
                                       .counts = n->counts};
        memcpy(out->batch_id, n->batch_id, sizeof out->batch_id);
    }
    const void *key;
    size_t at = 0, len;
    void *value;
    while (found && map_next(v->runs, &at, &key, &len, &value)) {
        const struct live_run *l = value;
        out->under_way += l->execution && l->batch_id && strcmp(l->batch_id, out->batch_id) == 0;
    }
    pthread_mutex_unlock(&v->lock);
    if (!found)
        return false;
    out->left = out->total - out->done - out->under_way;
    out->left = out->left < 0 ? 0 : out->left;
    if (out->done)
        out->estimated_end_at =
            now + (now - out->started_at) / out->done * (out->total - out->done);
    return true;
}
