/* Runs that others carry out: what passes between the nodes and workers that share a store.
 *
 * Whoever has room takes a run from the queues of all, plans it, and writes into the job that it
 * has begun. When its tests are over it moves the job, with what came of it, into the queue of whom
 * it belongs to: the node that was asked, or, of a night's run, the decider. The store lets only
 * the holder of the claim do either, so of several who carried a run out, because one was slow, one
 * hands it in, once. Only the node it belongs to compares, stores and tells.
 *
 * A run that cannot be carried out here, for want of a plugin, a file or a secret, is left where it
 * was, and what is missing is told (GET .../nodes). */
#include "validation/inner.h"

#include "base/json.h"
#include "base/log.h"
#include "store/nodes.h"
#include "store/wait.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define RETRY_S    1
#define KEEP_MS    (INT64_C(7) * 86400000) /* results of a node that does not come back */
#define JOB_MAX    (RUN_TEXT_MAX + (8u << 20))
#define TELL_EVERY INT64_C(500000000)

/* --- where a job belongs --- */

const char *handing_home(const struct execution *x, struct arena *a)
{
    return x->run.batch_id ? QUEUE_NIGHT_BACK : arena_printf(a, QUEUE_BACK "%s", x->owner);
}

bool handing_is_mine(const struct execution *x)
{
    return !x->v->config.only_work && strcmp(x->owner, x->v->space) == 0;
}

/* --- beginning [verdicts] --- */

static bool ask_and_wait(struct validation *v, struct queue_request *q)
{
    bool ok = store_queue_wait(v->config.store, q, NULL);
    if (!ok)
        log_text(LOG_WARN, "run_queue_failed", q->err.detail);
    return ok;
}

/* The one it belongs to shows it as running, with its attempts. */
static void tell_begun(struct execution *x, struct arena *a)
{
    struct bytes b = BYTES_INIT(JOB_MAX);
    run_job_write(x, JOB_BEGUN, &b);
    struct queue_request note = {
        .op = QUEUE_PUSH,
        .queue = handing_home(x, a),
        .id = arena_printf(a, "%s#%zu", x->run.run_id, x->run.attempts_len),
        .worker = x->v->claimant,
        .data = b.data,
        .len = b.len,
        .arena = a,
    };
    if (!b.full && !ask_and_wait(x->v, &note))
        log_event(LOG_WARN, "run_start_not_told", NULL);
    bytes_release(&b);
}

void handing_begin(struct execution *x)
{
    struct arena *a = arena_new(1 << 20);
    struct bytes b = BYTES_INIT(JOB_MAX);
    run_job_write(x, JOB_WAITS, &b);
    struct queue_request q = {.op = QUEUE_MOVE,
                              .queue = x->queue,
                              .to = x->queue,
                              .id = x->id,
                              .worker = x->v->claimant,
                              .data = b.data,
                              .len = b.len,
                              .claim_ms = x->v->config.claim_ms,
                              .arena = a};
    x->taken = b.full || !ask_and_wait(x->v, &q) || !q.found;
    bytes_release(&b);
    if (!x->taken)
        tell_begun(x, a);
    arena_free(a);
}

/* --- letting go [supervisor] --- */

void handing_drop(struct execution *x)
{
    struct validation *v = x->v;
    execution_abandon(x);
    supervisor_unlink(x);
    pthread_mutex_lock(&v->lock);
    if (x->live && x->live->execution == x) {
        x->live->execution = NULL;
        if (!x->live->batch_id)
            v->waiting++;
    }
    pthread_mutex_unlock(&v->lock);
    execution_free(x);
}

void handing_lost(struct validation *v, const char *id)
{
    struct execution *x = supervisor_find(v, id);
    if (!x || x->judging || !x->planned) /* whoever plans it finds out when it begins */
        return;
    log_event(LOG_WARN, "run_taken_over", "\"run_id\":\"%s\"", id);
    handing_drop(x);
}

/* --- handing over and giving back [supervisor] --- */

struct passing {
    struct mail mail;
    struct execution *x;
    struct arena *arena;
    struct queue_request queue;
    struct bytes text;
};

static void hand_in_again(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    handing_in(ctx);
}

static void passing_free(struct passing *p)
{
    bytes_release(&p->text);
    arena_free(p->arena);
}

/* [supervisor] */
static void handed(struct mail *m)
{
    struct passing *p = (struct passing *)(void *)m;
    struct execution *x = p->x;
    struct validation *v = x->v;
    const struct timeval later = {.tv_sec = RETRY_S};
    bool ok = p->queue.ok, found = p->queue.found;
    supervisor_errand_comes(v);
    if (!ok)
        log_text(LOG_WARN, "run_not_handed_in", p->queue.err.detail);
    passing_free(p);
    if (!ok) {
        if (!v->stopping && event_base_once(v->base, -1, EV_TIMEOUT, hand_in_again, x, &later) != 0)
            handing_drop(x); /* its claim runs out */
        return;
    }
    if (!found)
        log_event(LOG_WARN, "run_taken_over", "\"run_id\":\"%s\"", x->id);
    pthread_mutex_lock(&v->lock);
    v->runs_total += found;
    pthread_mutex_unlock(&v->lock);
    v->dry_until_ns[FROM_BACK] = v->dry_until_ns[FROM_NIGHT_BACK] = 0;
    handing_drop(x);
    supervisor_pump(v);
}

/* [store] */
static void hand_back(struct queue_request *q)
{
    struct passing *p = q->owner;
    p->mail.run = handed;
    supervisor_post(p->x->v, &p->mail);
}

/* A result that is too long goes without logs, then without figures. */
static void shorten(struct execution *x, int turn)
{
    for (size_t i = 0; i < x->run.results_len; i++) {
        x->run.results[i].log = "";
        if (turn == 0)
            continue;
        x->run.results[i].measurements_len = x->run.results[i].checks_len = 0;
        x->run.results[i].status = RESULT_STATUSES[2];
        x->run.results[i].message = "its result is too long to be handed over";
    }
}

void handing_in(struct execution *x)
{
    struct validation *v = x->v;
    struct arena *a = arena_new(1 << 20);
    struct passing *p = arena_zero(a, sizeof *p);
    x->judging = true;
    *p = (struct passing){.x = x, .arena = a, .text = BYTES_INIT(JOB_MAX)};
    run_job_write(x, JOB_CARRIED_OUT, &p->text);
    for (int turn = 0; turn < 2 && p->text.full; turn++) {
        bytes_release(&p->text);
        p->text = BYTES_INIT(JOB_MAX);
        shorten(x, turn);
        run_job_write(x, JOB_CARRIED_OUT, &p->text);
    }
    p->queue = (struct queue_request){.op = QUEUE_MOVE,
                                      .queue = x->queue,
                                      .to = handing_home(x, a),
                                      .id = x->id,
                                      .worker = v->claimant,
                                      .data = p->text.data,
                                      .len = p->text.len,
                                      .keep_ms = KEEP_MS,
                                      .arena = a,
                                      .done = hand_back,
                                      .owner = p};
    supervisor_errand_goes(v);
    v->config.store->ops->queue(v->config.store, &p->queue);
}

/* As it was claimed: an attempt that has not begun, or is broken off at will, is none. */
void handing_give_back(struct execution *x)
{
    supervisor_queue_put(x, x->job, x->job_len);
}

/* --- what cannot be done here --- */

static void remember(struct validation *v, const struct execution *x)
{
    struct declined *d = NULL;
    for (size_t i = 0; i < DECLINED_MAX && !d; i++)
        if (strcmp(v->declined[i].run_id, x->id) == 0)
            d = &v->declined[i];
    for (size_t i = 0; i < DECLINED_MAX && !d; i++)
        if (!*v->declined[i].run_id)
            d = &v->declined[i];
    if (!d) {
        d = &v->declined[0];
        for (size_t i = 1; i < DECLINED_MAX; i++)
            if (v->declined[i].at < d->at)
                d = &v->declined[i];
    }
    if (strcmp(d->run_id, x->id) != 0)
        log_event(LOG_WARN, "run_left", "\"run_id\":\"%s\"", x->id);
    d->at = clock_wall_ms(v->config.clock);
    snprintf(d->run_id, sizeof d->run_id, "%s", x->id);
    snprintf(d->reason, sizeof d->reason, "%s", x->declined);
}

void handing_decline(struct execution *x)
{
    struct validation *v = x->v;
    remember(v, x);
    v->after[x->from] = x->number;
    handing_give_back(x);
    handing_drop(x);
}

/* --- what is told of it [supervisor] --- */

static void put_running(struct validation *v, struct bytes *b)
{
    bool first = true;
    json_key(b, "running");
    bytes_char(b, '[');
    for (const struct execution *x = v->active; x && b->len < NODE_DOING_SIZE / 3; x = x->next) {
        if (!x->planned || x->returned || x->begun)
            continue;
        if (!first)
            bytes_char(b, ',');
        json_put_string(b, x->id);
        first = false;
    }
    bytes_char(b, ']');
}

static void put_declined(struct validation *v, struct bytes *b)
{
    int64_t stale = clock_wall_ms(v->config.clock) - DECLINED_MS;
    bool first = true;
    json_key(b, "declined");
    bytes_char(b, '[');
    for (size_t i = 0; i < DECLINED_MAX; i++) {
        struct declined *d = &v->declined[i];
        if (*d->run_id && d->at < stale)
            *d->run_id = '\0'; /* somebody else has it, or it was called off */
        if (!*d->run_id)
            continue;
        if (!first)
            bytes_char(b, ',');
        bytes_char(b, '{');
        json_kv_string(b, "run_id", d->run_id);
        json_kv_string(b, "reason", d->reason);
        json_kv_time(b, "at", d->at);
        bytes_char(b, '}');
        first = false;
    }
    bytes_char(b, ']');
}

void handing_tell(struct validation *v, int64_t now_ns)
{
    struct bytes b = BYTES_INIT(NODE_DOING_SIZE - 1);
    if (!v->shared || now_ns < v->tell_ns)
        return;
    v->tell_ns = now_ns + TELL_EVERY;
    bytes_char(&b, '{');
    put_running(v, &b);
    put_declined(v, &b);
    bytes_char(&b, '}');
    store_tell_doing(v->config.store, b.full ? "" : b.data);
    bytes_release(&b);
}
