/* The supervisor: claims runs from the queue, has them planned, starts their tests, has them
 * judged. One thread with an event base; it waits for nothing but events. */
#include "validation/inner.h"

#include "base/log.h"
#include "base/mem.h"
#include "validation/run_store.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_MS      100
#define RETRY_MS     1000
#define NS_PER_MS    INT64_C(1000000)
#define STOP_WAIT_MS 10000

static int64_t now_ns(const struct validation *v)
{
    return clock_mono_ns(v->config.clock);
}

void supervisor_post(struct validation *v, struct mail *m)
{
    mailbox_post_answer(v->mailbox, m);
}

/* Under the lock, so that nothing comes after the mail that ends the loop. */
bool supervisor_ask(struct validation *v, struct mail *m, struct err *e)
{
    pthread_mutex_lock(&v->lock);
    bool open = !v->stopped;
    if (open)
        mailbox_post_answer(v->mailbox, m);
    pthread_mutex_unlock(&v->lock);
    return open || fail(e, &ERR_BUSY, "the server is being stopped");
}

static void errand_goes(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    v->errands++;
    pthread_mutex_unlock(&v->lock);
}

static void errand_comes(struct validation *v)
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

static void execution_free(struct execution *x)
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
    errand_comes(r->v);
    arena_free(r->arena);
}

/* [store] */
static void errand_back(struct queue_request *q)
{
    struct errand *r = q->owner;
    r->mail.run = errand_done;
    supervisor_post(r->v, &r->mail);
}

static void queue_say(struct execution *x, enum queue_op op, int64_t claim_ms)
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
    errand_goes(v);
    v->config.store->ops->queue(v->config.store, &r->queue);
}

/* The run is stored, told and over. */
static void finish(struct execution *x)
{
    struct validation *v = x->v;
    if (x->ns)
        queue_say(x, QUEUE_FINISH, 0);
    unlink_active(x);
    pthread_mutex_lock(&v->lock);
    v->runs_total++;
    pthread_mutex_unlock(&v->lock);
    if (x->live)
        live_end(v, x->live);
    if (x->ns && x->run.batch_id)
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
    errand_comes(x->v);
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
    errand_goes(x->v);
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
    errand_comes(v);
    x->planned = true;
    if (!x->ns) { /* the job was damaged */
        finish(x);
        return;
    }
    pthread_mutex_lock(&v->lock);
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
    x->run.results = arena_zero(x->arena, (x->n + 1) * sizeof *x->run.results);
    x->run.results_len = 0;
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
    errand_comes(x->v);
}

struct claim {
    struct mail mail;
    struct validation *v;
    struct arena *arena;
    struct queue_request queue;
    int which;
};

static const char *const QUEUES[] = {QUEUE_RUNS, QUEUE_NIGHT};

static void begin(struct claim *c)
{
    struct validation *v = c->v;
    struct execution *x = arena_zero(c->arena, sizeof *x), **end = &v->active;
    x->v = v;
    x->arena = c->arena;
    x->queue = QUEUES[c->which];
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
    errand_comes(v);
    v->claiming = false;
    if (!c->queue.ok) {
        log_text(LOG_WARN, "run_claim_failed", c->queue.err.detail);
        v->dry[0] = v->dry[1] = true;
    }
    if (!c->queue.ok || !c->queue.found) {
        v->dry[c->which] = true;
        v->dry_until_ns = now_ns(v) + POLL_MS * NS_PER_MS;
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
static void claim(struct validation *v)
{
    if (v->dry[0] && !nights_ready(v))
        return;
    struct arena *a = arena_new(RUN_ARENA_MAX);
    struct claim *c = arena_zero(a, sizeof *c);
    *c = (struct claim){.v = v, .arena = a, .which = v->dry[0]};
    c->queue = (struct queue_request){.op = QUEUE_CLAIM,
                                      .queue = QUEUES[c->which],
                                      .worker = v->claimant,
                                      .claim_ms = CLAIM_MS,
                                      .arena = a,
                                      .done = claim_back,
                                      .owner = c};
    v->claiming = true;
    errand_goes(v);
    v->config.store->ops->queue(v->config.store, &c->queue);
}

/* --- what may be done now --- */

static bool is_cancelled(const struct execution *x)
{
    pthread_mutex_lock(&x->v->lock);
    bool cancelled = x->live && x->live->cancelled;
    pthread_mutex_unlock(&x->v->lock);
    return cancelled;
}

static bool has_nothing_to_do(const struct execution *x)
{
    return x->stored || x->lost || x->gone || x->run.status == RUN_STATUSES[5];
}

static void advance_all(struct validation *v)
{
    bool going = true;
    struct execution *next;
    for (struct execution *x = v->active; x; x = next) {
        next = x->next;
        if (!x->planned || x->judging)
            continue;
        if (!x->cancelled && is_cancelled(x)) {
            x->cancelled = true;
            execution_cancel(x);
        }
        if (!has_nothing_to_do(x) && !x->cancelled && going)
            going = execution_advance(x);
        if (has_nothing_to_do(x) || execution_is_over(x))
            supervisor_judge(x);
    }
}

void supervisor_pump(struct validation *v)
{
    if (v->stopping)
        return;
    if (v->pumping) { /* from within */
        v->pump_again = true;
        return;
    }
    v->pumping = true;
    do {
        v->pump_again = false;
        advance_all(v);
    } while (v->pump_again);
    v->pumping = false;
    if (!v->claiming && !(v->dry[0] && v->dry[1]) && v->n_active < 2 * v->workers_max + 2)
        claim(v);
}

/* --- time --- */

static void heartbeat(struct validation *v, int64_t now)
{
    if (now < v->heartbeat_ns)
        return;
    v->heartbeat_ns = now + HEARTBEAT_MS * NS_PER_MS;
    for (struct execution *x = v->active; x; x = x->next)
        queue_say(x, QUEUE_HEARTBEAT, CLAIM_MS);
}

static void tick(evutil_socket_t fd, short what, void *ctx)
{
    struct validation *v = ctx;
    int64_t now = now_ns(v);
    (void)fd, (void)what;
    live_tick(v, now);
    if (v->stopping)
        return;
    heartbeat(v, now);
    nights_tick(v, clock_wall_ms(v->config.clock));
    if (v->dry[0] && v->dry[1] && now >= v->dry_until_ns)
        v->dry[0] = v->dry[1] = false;
    supervisor_pump(v);
}

static void take_mail(evutil_socket_t fd, short what, void *ctx)
{
    struct validation *v = ctx;
    (void)fd, (void)what;
    struct mail *next;
    for (struct mail *m = mailbox_take(v->mailbox); m; m = next) {
        next = m->next;
        m->run(m);
    }
    supervisor_pump(v);
}

/* --- the end --- */

static bool has_errands(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    bool some = v->errands > 0;
    pthread_mutex_unlock(&v->lock);
    return some;
}

/* Everything that waits hears that the time is over, however long it wanted to wait. */
static void send_away(struct validation *v)
{
    live_tick(v, INT64_MAX);
}

/* What runs is ended; the claims are given up, so that a restart takes the runs at once. */
static void wind_up(struct validation *v)
{
    for (struct execution *x = v->active; x; x = x->next) {
        if (x->planned)
            execution_abandon(x);
        if (!x->judging)
            queue_say(x, QUEUE_HEARTBEAT, 0);
    }
    while (has_errands(v)) {
        struct mail *next;
        for (struct mail *m = mailbox_wait(v->mailbox, STOP_WAIT_MS); m; m = next) {
            next = m->next;
            m->run(m);
        }
    }
    take_mail(-1, 0, v);
    send_away(v);
    for (struct execution *x = v->active, *next; x; x = next) {
        next = x->next;
        execution_free(x);
    }
    v->active = NULL;
}

static void *supervise(void *arg)
{
    struct validation *v = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 5); /* requests go first */
    nights_resume(v);
    event_base_loop(v->base, EVLOOP_NO_EXIT_ON_EMPTY);
    wind_up(v);
    return NULL;
}

static void end_loop(struct mail *m)
{
    struct validation *v = ((struct ending *)(void *)m)->v;
    v->stopping = true;
    event_base_loopbreak(v->base);
}

bool supervisor_start(struct validation *v, struct err *e)
{
    const struct timeval period = {.tv_usec = TICK_MS * 1000};
    v->base = event_base_new();
    v->mailbox = mailbox_new(1, e);
    if (!v->base || !v->mailbox)
        return fail(e, &ERR_INTERNAL, "no event loop for validation");
    v->mail_event = event_new(v->base, mailbox_fd(v->mailbox), EV_READ | EV_PERSIST, take_mail, v);
    v->tick_event = event_new(v->base, -1, EV_PERSIST, tick, v);
    if (!v->mail_event || !v->tick_event || event_add(v->mail_event, NULL) != 0 ||
        event_add(v->tick_event, &period) != 0)
        return fail(e, &ERR_INTERNAL, "no events for validation");
    v->threads = pthread_create(&v->thread, NULL, supervise, v) == 0;
    return v->threads || fail_errno(e, &ERR_INTERNAL, "cannot start the supervisor's thread");
}

void supervisor_stop(struct validation *v)
{
    if (v->threads) {
        struct ending end = {.mail.run = end_loop, .v = v};
        supervisor_post(v, &end.mail);
        pthread_join(v->thread, NULL);
        v->threads = false;
    }
    if (v->mail_event)
        event_free(v->mail_event);
    if (v->tick_event)
        event_free(v->tick_event);
    if (v->base)
        event_base_free(v->base);
    v->mail_event = v->tick_event = NULL;
    v->base = NULL;
}
