/* A run's way into the queue: on the table first, so that whoever asks finds it, then the job, from
 * which the run can be made whole after a crash, then the record that GET finds after one. */
#include "validation/inner.h"

#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "registry/view.h"
#include "validation/fingerprint.h"
#include "validation/run_store.h"

#include <stdlib.h>
#include <string.h>

struct queueing {
    struct mail mail;
    struct validation *v;
    struct arena *arena;
    struct live_run *live;
    struct queue_request push;
    struct series_append append;
    struct series_record records[RUN_RECORDS];
    bool failed;
    struct err why;
    void (*done)(struct queueing *q, const struct err *why);
    void *owner;
};

static bool is_filtered(const char *list)
{
    return list && strcmp(list, "[]") != 0;
}

/* The job holds all that the run needs, the record itself included. */
static bool job_text(struct validation *v, const struct run *r, const struct run_order *o,
                     struct arena *a, struct bytes *b)
{
    const struct execution x = {
        .ns = o->ns,
        .uid = o->model->entity.uid,
        .until = o->until,
        .types = o->types,
        .test_ids = o->test_ids,
        .baseline_model_id = o->baseline_model_id,
        .owner = v->shared ? v->space : NULL,
        .seq = o->view->seq,
        .plugins_wanted = v->shared ? run_job_plugins(v->config.catalog, a) : NULL,
        .run = *r,
    };
    run_job_write(&x, JOB_WAITS, b);
    return !b->full;
}

static void run_of(const struct validation *v, const struct run_order *o, char id[ULID_SIZE],
                   char fingerprint[SHA256_HEX_SIZE], struct run *r)
{
    run_init(r);
    r->queued_at = clock_wall_ms(v->config.clock);
    ulid_make(r->queued_at, id);
    model_fingerprint(o->model, fingerprint);
    r->run_id = o->run_id ? o->run_id : id;
    r->model_id = o->model_id;
    r->trigger = o->trigger;
    r->trial = o->trial;
    r->batch_id = o->batch_id;
    r->labels = o->labels ? o->labels : "{}";
    r->subject_fingerprint = fingerprint;
}

struct queueing *run_order(struct validation *v, const struct run_order *o, struct err *e)
{
    char id[ULID_SIZE], fingerprint[SHA256_HEX_SIZE];
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct queueing *q = arena_zero(a, sizeof *q);
    struct bytes job = BYTES_INIT(4 << 20);
    struct run r;
    size_t n = 0;
    run_of(v, o, id, fingerprint, &r);
    if (v->stopped) {
        fail(e, &ERR_BUSY, "the server is being stopped");
        goto failed;
    }
    if (!o->batch_id && v->waiting >= v->config.queue_max) {
        fail(e, &ERR_BUSY, "%zu validation runs wait already; try again later", v->waiting);
        goto failed;
    }
    if (!job_text(v, &r, o, a, &job)) {
        fail(e, &ERR_INVALID, "the run's labels and filters are too long");
        goto failed;
    }
    if (!run_records(&r, o->ns, o->model->entity.uid, a, q->records, &n, e))
        goto failed;
    q->v = v;
    q->arena = a;
    q->append = (struct series_append){.records = q->records, .n = n};
    q->push = (struct queue_request){.op = QUEUE_PUSH,
                                     .queue = v->queues[o->batch_id ? FROM_NIGHT : FROM_RUNS],
                                     .id = arena_text(a, r.run_id),
                                     .worker = v->claimant,
                                     .data = arena_copy(a, job.data, job.len),
                                     .len = job.len,
                                     .arena = a};
    q->live = live_add(v, &r, o->ns, o->model->entity.uid,
                       !is_filtered(o->types) && !is_filtered(o->test_ids));
    v->errands++;
    bytes_release(&job);
    return q;
failed:
    bytes_release(&job);
    arena_free(a);
    return NULL;
}

/* The run cannot be promised. If only its record could not be written, the job may run all the
 * same, and then owns its place on the table. */
static void give_up(struct validation *v, struct live_run *l, const char *run_id)
{
    pthread_mutex_lock(&v->lock);
    bool idle = map_get(v->runs, run_id, strlen(run_id)) == l && !l->execution;
    pthread_mutex_unlock(&v->lock);
    if (idle)
        live_end(v, l);
}

/* [supervisor] */
static void come_back(struct mail *m)
{
    struct queueing *q = (struct queueing *)(void *)m;
    struct validation *v = q->v;
    pthread_mutex_lock(&v->lock);
    v->errands--;
    pthread_mutex_unlock(&v->lock);
    if (q->done)
        q->done(q, q->failed ? &q->why : NULL);
    else if (q->failed)
        log_text(LOG_ERROR, "run_not_queued", q->why.detail);
    if (q->failed)
        give_up(v, q->live, q->push.id);
    arena_free(q->arena);
    for (int i = 0; i < SOURCES; i++) /* it waits there, and may come back at any time */
        v->dry_until_ns[i] = 0;
    supervisor_pump(v);
}

static void go_back(struct queueing *q, bool ok, const struct err *why)
{
    q->failed = !ok;
    if (!ok)
        q->why = *why;
    q->mail.run = come_back;
    supervisor_post(q->v, &q->mail);
}

/* [store] */
static void recorded(struct series_append *a)
{
    go_back(a->owner, a->ok, &a->err);
}

/* [store] A job that was there already (a night taken up again) has its record, too. */
static void pushed(struct queue_request *push)
{
    struct queueing *q = push->owner;
    if (!push->ok || push->found) {
        go_back(q, push->ok, &push->err);
        return;
    }
    q->append.done = recorded;
    q->append.owner = q;
    q->v->config.store->ops->append(q->v->config.store, &q->append);
}

void queueing_post(struct queueing *q, void (*done)(struct queueing *q, const struct err *why),
                   void *owner)
{
    q->done = done;
    q->owner = owner;
    q->push.done = pushed;
    q->push.owner = q;
    q->v->config.store->ops->queue(q->v->config.store, &q->push);
}

void *queueing_owner(const struct queueing *q)
{
    return q->owner;
}

const char *queueing_run_id(const struct queueing *q)
{
    return q->push.id;
}

/* --- a wish --- */

/* [supervisor] */
static void wish_queued(struct queueing *q, const struct err *why)
{
    struct run_wish *w = q->owner;
    w->ok = !why;
    if (why)
        w->err = *why;
    w->done(w);
}

/* [supervisor] */
static void take_wish(struct mail *m)
{
    struct run_wish *w = (struct run_wish *)(void *)m;
    struct validation *v = w->owner_validation;
    const struct view *view = view_enter(v->reader);
    const struct model *model = view_model(view, w->ns, w->model_id);
    struct queueing *q = NULL;
    if (model) {
        const struct run_order o = {.ns = w->ns,
                                    .model_id = w->model_id,
                                    .trigger = RUN_TRIGGERS[0],
                                    .types = w->types,
                                    .test_ids = w->test_ids,
                                    .baseline_model_id = w->baseline_model_id,
                                    .labels = w->labels,
                                    .trial = w->trial,
                                    .model = model,
                                    .view = view};
        pthread_mutex_lock(&v->lock);
        q = run_order(v, &o, &w->err);
        pthread_mutex_unlock(&v->lock);
    } else {
        fail(&w->err, &MODEL_NOT_FOUND, "no model '%.200s' in namespace '%.128s'", w->model_id,
             w->ns);
    }
    view_leave(v->reader);
    if (q) {
        memcpy(w->run_id, q->push.id, strlen(q->push.id) + 1);
        queueing_post(q, wish_queued, w);
        return;
    }
    w->ok = false;
    w->done(w);
}

void validation_run(struct validation *v, struct run_wish *w)
{
    w->owner_validation = v;
    w->mail.run = take_wish;
    w->ok = false;
    if (!supervisor_ask(v, &w->mail, &w->err))
        w->done(w);
}
