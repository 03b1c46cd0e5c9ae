/* A run's way through the supervisor: claimed from the queue, planned, on the table, judged, over.
 * supervisor.c says when. */
#include "validation/inner.h"

#include "base/log.h"

#include <event2/event.h>
#include <string.h>

#define RETRY_MS  1000
#define NS_PER_MS INT64_C(1000000)

void supervisor_errand_goes(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    v->errands++;
    pthread_mutex_unlock(&v->lock);
}

void supervisor_errand_comes(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    v->errands--;
    pthread_mutex_unlock(&v->lock);
}

/* --- the end of an execution --- */

static void unlink_active(struct execution *x)
{
    struct execution **at = &x->v->active;
    while (*at && *at != x)
        at = &(*at)->next;
    if (*at) {
        *at = x->next;
        pthread_mutex_lock(&x->v->lock);
        x->v->n_active--;
        pthread_mutex_unlock(&x->v->lock);
    }
}

void execution_free(struct execution *x)
{
    if (x->plugins)
        catalog_give(x->v->config.catalog, x->plugins);
    arena_free(x->arena); /* it lies in it */
}

/* A request to the queue that is all there is to say. */
struct errand {
    struct mail mail;
    struct validation *v;
    struct arena *arena;
    struct queue_request queue;
};

/* [supervisor] */
static void errand_done(struct mail *m)
{
    struct errand *r = (struct errand *)(void *)m;
    if (!r->queue.ok)
        log_text(LOG_WARN, "run_queue_failed", r->queue.err.detail);
    supervisor_errand_comes(r->v);
    arena_free(r->arena);
}

/* [store] */
static void errand_back(struct queue_request *q)
{
    struct errand *r = q->owner;
    r->mail.run = errand_done;
    supervisor_post(r->v, &r->mail);
}

void supervisor_queue_say(struct execution *x, enum queue_op op, int64_t claim_ms)
{
    struct validation *v = x->v;
    struct arena *a = arena_new(65536);
    struct errand *r = arena_zero(a, sizeof *r);
    *r = (struct errand){.v = v, .arena = a};
    r->queue = (struct queue_request){.op = op,
                                      .queue = x->queue,
                                      .id = arena_text(a, x->id),
                                      .worker = v->claimant,
                                      .claim_ms = claim_ms,
                                      .arena = a,
                                      .done = errand_back,
                                      .owner = r};
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &r->queue);
}

/* The run is stored, told and over. */
static void finish(struct execution *x)
{
    struct validation *v = x->v;
    if (x->ns)
        supervisor_queue_say(x, QUEUE_FINISH, 0);
    unlink_active(x);
    pthread_mutex_lock(&v->lock);
    v->runs_total++;
    pthread_mutex_unlock(&v->lock);
    if (x->live)
        live_end(v, x->live);
    if (x->ns && x->run.batch_id && !x->stored) /* else it was counted when it was over */
        nights_run_over(v, x->ns, x->run.batch_id, x->run.status);
    execution_free(x);
    supervisor_pump(v);
}

/* --- judging --- */

static void judge_again(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    supervisor_judge(ctx);
}

/* [supervisor] */
static void judged(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    const struct timeval later = {.tv_usec = RETRY_MS * 1000};
    supervisor_errand_comes(x->v);
    if (x->told)
        finish(x);
    else if (!x->v->stopping && event_base_once(x->v->base, -1, EV_TIMEOUT, judge_again, x, &later))
        log_event(LOG_ERROR, "run_left", NULL); /* a restart takes it up */
}

/* [verdicts] */
static void run_judge(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    x->told = judge(x);
    x->mail.run = judged;
    supervisor_post(x->v, &x->mail);
}

static void to_verdicts(struct execution *x, void (*run)(struct mail *m),
                        void (*refused)(struct mail *m))
{
    x->mail.run = run;
    supervisor_errand_goes(x->v);
    if (pool_submit(x->v->verdicts, &x->mail))
        return;
    x->mail.run = refused;
    supervisor_post(x->v, &x->mail);
}

void supervisor_judge(struct execution *x)
{
    x->judging = true;
    to_verdicts(x, run_judge, judged);
}

/* --- claiming --- */

/* [supervisor] What was planned gets its place on the table and begins. */
static void planned(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    struct validation *v = x->v;
    supervisor_errand_comes(v);
    x->planned = true;
    if (!x->ns) { /* the job was damaged */
        finish(x);
        return;
    }
    x->run.results = arena_zero(x->arena, (x->n + 1) * sizeof *x->run.results);
    x->run.results_len = 0;
    pthread_mutex_lock(&v->lock); /* from then on others read the run */
    struct live_run *l = live_find(v, x->ns, x->run.run_id);
    if (!l && !x->stored)
        l = live_add(v, &x->run, x->ns, x->uid, false);
    if (l && !l->execution) {
        if (!l->batch_id)
            v->waiting--;
        l->execution = x;
    }
    x->live = l;
    pthread_mutex_unlock(&v->lock);
    supervisor_pump(v);
}

/* [verdicts] */
static void run_plan(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    plan(x, x->job, x->job_len);
    x->mail.run = planned;
    supervisor_post(x->v, &x->mail);
}

/* [supervisor] The server is being stopped: a restart plans it. */
static void not_planned(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    supervisor_errand_comes(x->v);
}

struct claim {
    struct mail mail;
    struct validation *v;
    struct arena *arena;
    struct queue_request queue;
    int which;
};

/* The clock was set, or the machine slept: the claim ran out while the run was under way here. */
static bool is_active(const struct validation *v, const char *id)
{
    const struct execution *x = v->active;
    while (x && strcmp(x->id, id) != 0)
        x = x->next;
    return x != NULL;
}

static void begin(struct claim *c)
{
    struct validation *v = c->v;
    if (is_active(v, c->queue.id)) { /* and now it is claimed anew */
        arena_free(c->arena);
        return;
    }
    struct execution *x = arena_zero(c->arena, sizeof *x), **end = &v->active;
    x->v = v;
    x->arena = c->arena;
    x->queue = c->v->queues[c->which];
    x->again = c->queue.attempts > 1;
    x->job = c->queue.data;
    x->job_len = c->queue.len;
    run_init(&x->run);
    x->id = x->run.run_id = c->queue.id;
    while (*end)
        end = &(*end)->next;
    *end = x;
    pthread_mutex_lock(&v->lock);
    v->n_active++;
    x->live = map_get(v->runs, c->queue.id, strlen(c->queue.id));
    pthread_mutex_unlock(&v->lock);
    to_verdicts(x, run_plan, not_planned);
}

/* [supervisor] */
static void claimed(struct mail *m)
{
    struct claim *c = (struct claim *)(void *)m;
    struct validation *v = c->v;
    supervisor_errand_comes(v);
    v->claiming = false;
    if (!c->queue.ok) {
        log_text(LOG_WARN, "run_claim_failed", c->queue.err.detail);
        v->dry[0] = v->dry[1] = true;
    }
    if (!c->queue.ok || !c->queue.found) {
        v->dry[c->which] = true;
        v->dry_until_ns = clock_mono_ns(v->config.clock) + POLL_MS * NS_PER_MS;
        arena_free(c->arena);
    } else {
        begin(c);
    }
    supervisor_pump(v);
}

/* [store] */
static void claim_back(struct queue_request *q)
{
    struct claim *c = q->owner;
    c->mail.run = claimed;
    supervisor_post(c->v, &c->mail);
}

/* Runs that somebody asked for go before those of a night. */
void supervisor_claim(struct validation *v)
{
    if (v->dry[0] && !nights_ready(v))
        return;
    struct arena *a = arena_new(RUN_ARENA_MAX);
    struct claim *c = arena_zero(a, sizeof *c);
    *c = (struct claim){.v = v, .arena = a, .which = v->dry[0]};
    c->queue = (struct queue_request){.op = QUEUE_CLAIM,
                                      .queue = v->queues[c->which],
                                      .worker = v->claimant,
                                      .claim_ms = CLAIM_MS,
                                      .arena = a,
                                      .done = claim_back,
                                      .owner = c};
    v->claiming = true;
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &c->queue);
}
