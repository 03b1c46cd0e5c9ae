/* A night under way: which models are tested, their runs, how far it is, its end. One at a time in
 * a namespace; nights_due.c says when it begins.
 *
 * A night begins with an entity; its runs go into the queue some at a time. A run's id is made of
 * the night's and the model's, so a restart can go through the models again: what is over is
 * counted, what waits is found waiting, and nothing runs twice. */
#include "validation/nights_impl.h"

#include "base/grow.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/nodes.h"
#include "validation/review.h"
#include "validation/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct night *night_of(struct validation *v, const char *ns)
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

void night_errand_goes(struct night *n)
{
    n->errands++;
}

bool night_errand_comes(struct night *n)
{
    n->errands--;
    if (n->left && n->errands == 0)
        night_free(n);
    else
        return !n->left;
    return false;
}

void night_leave_to_others(struct night *n)
{
    unlink_night(n);
    live_end_night(n->v, n->ns, n->batch_id);
    n->left = true;
    if (n->errands == 0)
        night_free(n);
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
    const struct registered_model *r = view_registered_model(g->view, n->ns, m->name);
    struct nightly_hours h = r ? nightly_hours_of(r) : (struct nightly_hours){0, 0, -1};
    if (n->hour_utc != INT64_MIN && (!h.enabled || h.hour_utc != n->hour_utc))
        return true;
    GROW(n->targets, n->n, n->cap);
    n->targets[n->n++] = (struct target){mem_text(entity->id), entity->uid,
                                         n->hour_utc == INT64_MIN ? -1 : h.end_hour_utc, false};
    return true;
}

void night_gather(struct night *n)
{
    struct gathering g = {n, view_enter(n->v->reader)};
    view_each_serving(g.view, n->ns, gather_target, &g);
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
                                  .duty = decide == nightly_end, /* its runs may go on elsewhere */
                                  .done = told,
                                  .owner = t};
    pthread_mutex_lock(&n->v->lock);
    n->v->errands++;
    pthread_mutex_unlock(&n->v->lock);
    night_errand_goes(n);
    if (!engine_submit(n->v->engine, &t->command, &e)) {
        t->command.err = e;
        supervisor_post(n->v, &t->mail);
    }
}

int64_t night_counted(const struct nightly_counts *c)
{
    return c->passed + c->failed + c->error + c->cancelled;
}

/* [supervisor] */
static void end_told(struct mail *m)
{
    struct night *n = ((struct telling *)(void *)m)->night;
    if (night_errand_comes(n)) {
        unlink_night(n);
        night_free(n);
    }
    tell_done(m);
}

/* It is on the list until the end is written, lest it be taken up again. */
static void reviewed(void *owner)
{
    struct night *n = owner;
    if (night_errand_comes(n))
        tell(n, nightly_end, end_told);
}

/* What its measurements say is told before its end, so that a restart in between tells it again
 * rather than never. */
static void end_if_over(struct night *n)
{
    if (!n->begun || n->reviewed || n->next < n->n || n->ahead > 0)
        return;
    n->reviewed = true;
    night_errand_goes(n);
    review_begin(n->v, n->ns, n->started_at, reviewed, n);
}

/* --- its runs --- */

void night_count(struct validation *v, struct nightly_counts *c, const char *status)
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
    if (!night_errand_comes(n) || !why)
        return;
    log_text(LOG_ERROR, "night_run_not_queued", why->detail);
    n->ahead--;
    night_count(n->v, &n->counts, "error");
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
        night_count(v, &n->counts, "cancelled");
        return;
    }
    n->ahead++;
    night_errand_goes(n);
    queueing_post(q, target_queued, n);
}

void night_queue_more(struct night *n)
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
    night_count(v, &n->counts, status);
    night_queue_more(n);
}

/* --- beginning --- */

struct night *night_new(struct validation *v, const char *ns, int64_t hour_utc,
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
    if (!night_errand_comes(n)) { /* only what has begun is left to others */
        arena_free(t->arena);
        return;
    }
    if (n->wish && t->command.err.members)
        n->wish->members =
            arena_text(n->wish->arena, t->command.err.members); /* the command's go with it */
    struct err why = t->command.err;
    why.members = n->wish ? n->wish->members : NULL;
    answer(n, n->begun, &why);
    if (n->begun && !store_decides(t->v->config.store)) { /* whoever does takes it up */
        unlink_night(n);
        night_free(n);
    } else if (n->begun) {
        log_event(LOG_INFO, "night_started", "\"batch_id\":\"%s\",\"models\":%zu", n->batch_id,
                  n->n);
        night_queue_more(n);
    } else {
        t->v->nights_blocked = true;
        unlink_night(n);
        night_free(n);
    }
    arena_free(t->arena);
}

void night_begin(struct night *n)
{
    tell(n, nightly_begin, night_begun);
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
                                       .done = night_counted(&n->counts),
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
