/* A run's way through the supervisor: claimed from the queue, planned, on the table, judged, over.
 * supervisor.c says when. */
#include "validation/inner.h"

#include "base/log.h"

#include <event2/event.h>
#include <stdlib.h>
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

void supervisor_unlink(struct execution *x)
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

struct execution *supervisor_find(const struct validation *v, const char *id)
{
    struct execution *x = v->active;
    while (x && strcmp(x->id, id) != 0)
        x = x->next;
    return x;
}

void execution_free(struct execution *x)
{
    if (x->plugins)
        catalog_give(x->v->config.catalog, x->plugins);
    json_decref(x->plugins_parsed);
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
    else if (r->v->shared && r->queue.op == QUEUE_HEARTBEAT && !r->queue.found)
        handing_lost(r->v, r->queue.id);
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

static void say(struct execution *x, const struct queue_request *what, const void *data)
{
    struct validation *v = x->v;
    struct arena *a = arena_new(65536 + what->len);
    struct errand *r = arena_zero(a, sizeof *r);
    *r = (struct errand){.v = v, .arena = a, .queue = *what};
    r->queue.queue = r->queue.to = x->queue;
    r->queue.id = arena_text(a, x->id);
    r->queue.worker = v->claimant;
    r->queue.data = data ? arena_copy(a, data, what->len) : NULL;
    r->queue.arena = a;
    r->queue.done = errand_back;
    r->queue.owner = r;
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &r->queue);
}

void supervisor_queue_say(struct execution *x, enum queue_op op, int64_t claim_ms)
{
    say(x, &(struct queue_request){.op = op, .claim_ms = claim_ms}, NULL);
}

void supervisor_queue_put(struct execution *x, const void *job, size_t len)
{
    say(x, &(struct queue_request){.op = QUEUE_MOVE, .len = len}, job);
}

/* The run is stored, told and over. */
static void finish(struct execution *x)
{
    struct validation *v = x->v;
    if (x->ns)
        supervisor_queue_say(x, QUEUE_FINISH, 0);
    supervisor_unlink(x);
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
    if (x->told) {
        finish(x);
        return;
    }
    if (x->returned && x->run.batch_id && !store_decides(x->v->config.store)) {
        supervisor_queue_say(x, QUEUE_HEARTBEAT, 0); /* it is another's to tell */
        handing_drop(x);
        return;
    }
    if (!x->v->stopping && event_base_once(x->v->base, -1, EV_TIMEOUT, judge_again, x, &later))
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

/* Put it on the table; who has carried it out in vain until now, because it was slow, is returned.
 */
static struct execution *take_place(struct execution *x)
{
    struct validation *v = x->v;
    struct execution *slow = NULL;
    bool mine = !v->shared || x->returned || x->seized || handing_is_mine(x);
    pthread_mutex_lock(&v->lock); /* from then on others read the run */
    struct live_run *l = live_find(v, x->ns, x->run.run_id);
    if (!l && !x->stored && mine)
        l = live_add(v, &x->run, x->ns, x->uid, false);
    if (l && l->execution && l->execution != x) {
        slow = l->execution;
        slow->live = NULL;
    } else if (l && !l->execution && !l->batch_id) {
        v->waiting--;
    }
    if (l)
        l->execution = x;
    x->live = l;
    pthread_mutex_unlock(&v->lock);
    return slow;
}

static void begin_here(struct execution *x)
{
    if (!x->returned) {
        x->run.results = arena_zero(x->arena, (x->n + 1) * sizeof *x->run.results);
        x->run.results_len = 0;
    }
    struct execution *slow = take_place(x);
    if (slow && slow->planned && !slow->judging)
        handing_drop(slow);
}

/* It was no run, but the word that one has begun elsewhere: shown until it comes back. */
static void show_begun(struct execution *x)
{
    struct validation *v = x->v;
    struct bytes text = BYTES_INIT(RUN_TEXT_MAX);
    run_encode(&x->run, x->ns, &text);
    pthread_mutex_lock(&v->lock);
    struct live_run *l = live_find(v, x->ns, x->run.run_id);
    if (l && !l->execution && !text.full) {
        free(l->json);
        l->json = bytes_take(&text, &l->json_len);
    }
    pthread_mutex_unlock(&v->lock);
    bytes_release(&text);
    supervisor_queue_say(x, QUEUE_FINISH, 0);
    handing_drop(x);
}

/* [supervisor] What was planned begins, unless it is no matter of this node. */
static void planned(struct mail *m)
{
    struct execution *x = (struct execution *)(void *)m;
    struct validation *v = x->v;
    supervisor_errand_comes(v);
    x->planned = true;
    if (!x->ns) { /* the job was damaged */
        finish(x);
    } else if (x->taken) {
        handing_drop(x);
    } else if (x->begun) {
        show_begun(x);
    } else if (x->declined) {
        handing_decline(x);
    } else if (v->stopping && v->shared && !x->returned) {
        handing_give_back(x);
        handing_drop(x);
    } else {
        begin_here(x);
    }
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
    enum source from;
    bool seizes;
};

static void begin(struct claim *c)
{
    struct validation *v = c->v;
    /* The clock was set, or the machine slept: the claim ran out while the run was under way here,
     * and now it is claimed anew. */
    if (supervisor_find(v, c->queue.id)) {
        arena_free(c->arena);
        return;
    }
    struct execution *x = arena_zero(c->arena, sizeof *x), **end = &v->active;
    x->v = v;
    x->arena = c->arena;
    x->from = c->from;
    x->queue = c->v->queues[c->from];
    x->number = c->queue.number;
    x->seized = c->seizes;
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

/* While something is with others it may come back at any time. */
static int64_t pause_ms(struct validation *v, enum source from)
{
    if (!v->shared)
        return POLL_MS;
    if (from == FROM_RUNS || from == FROM_NIGHT)
        return POLL_SHARED_MS;
    pthread_mutex_lock(&v->lock);
    bool some = map_count(v->runs) > 0;
    pthread_mutex_unlock(&v->lock);
    return some ? POLL_BACK_MS : POLL_MS;
}

static void found_none(struct validation *v, enum source from)
{
    int64_t now = clock_mono_ns(v->config.clock);
    v->dry_until_ns[from] = now + pause_ms(v, from) * NS_PER_MS;
    if (now >= v->after_until_ns[from]) { /* look at what was left once more */
        v->after[from] = 0;
        v->after_until_ns[from] = now + POLL_MS * NS_PER_MS;
    }
}

static void refused(struct validation *v, const struct err *why)
{
    int64_t until = clock_mono_ns(v->config.clock) + POLL_MS * NS_PER_MS;
    log_text(LOG_WARN, "run_claim_failed", why->detail);
    for (int i = 0; i < SOURCES; i++)
        v->dry_until_ns[i] = until;
}

/* [supervisor] */
static void claimed(struct mail *m)
{
    struct claim *c = (struct claim *)(void *)m;
    struct validation *v = c->v;
    supervisor_errand_comes(v);
    v->claiming = false;
    if (!c->queue.ok)
        refused(v, &c->queue.err);
    if (!c->queue.ok || !c->queue.found) {
        found_none(v, c->from);
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

static struct claim *claim_new(struct validation *v, enum source from)
{
    struct arena *a = arena_new(RUN_ARENA_MAX);
    struct claim *c = arena_zero(a, sizeof *c);
    *c = (struct claim){.v = v, .arena = a, .from = from};
    c->queue = (struct queue_request){.op = QUEUE_CLAIM,
                                      .queue = v->queues[from],
                                      .worker = v->claimant,
                                      .claim_ms = v->config.claim_ms,
                                      .arena = a,
                                      .owner = c};
    return c;
}

void supervisor_claim(struct validation *v, enum source from)
{
    struct claim *c = claim_new(v, from);
    c->queue.after = v->after[from];
    c->queue.done = claim_back;
    v->claiming = true;
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &c->queue);
}

/* [supervisor] If it was not there it comes back by itself, or is over. */
static void seized(struct mail *m)
{
    struct claim *c = (struct claim *)(void *)m;
    struct validation *v = c->v;
    supervisor_errand_comes(v);
    if (!c->queue.ok)
        log_text(LOG_WARN, "run_not_taken_back", c->queue.err.detail);
    if (c->queue.ok && c->queue.found)
        begin(c);
    else
        arena_free(c->arena);
    supervisor_pump(v);
}

/* [store] */
static void seize_back(struct queue_request *q)
{
    struct claim *c = q->owner;
    c->mail.run = seized;
    supervisor_post(c->v, &c->mail);
}

void supervisor_seize(struct validation *v, const char *run_id, bool of_night)
{
    struct claim *c = claim_new(v, of_night ? FROM_NIGHT : FROM_RUNS);
    c->seizes = true;
    c->queue.id = arena_text(c->arena, run_id);
    c->queue.done = seize_back;
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &c->queue);
}
