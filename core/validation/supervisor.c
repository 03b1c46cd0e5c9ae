/* The supervisor: one thread with an event base that waits for nothing but events. It has runs
 * claimed (claims.c), starts their tests (execution.c) and begins nights (nights_due.c). */
#include "validation/inner.h"
#include "validation/retention.h"
#include "base/thread.h"

#include "store/nodes.h"

#include <event2/event.h>
#include <unistd.h>

#define TICK_MS      100
#define NS_PER_MS    INT64_C(1000000)
#define STOP_WAIT_MS 10000

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

/* Where several share the store, whoever carried it out hands it in first. */
static void pass_on(struct execution *x)
{
    if (x->v->shared && !x->returned && !x->seized)
        handing_in(x);
    else
        supervisor_judge(x);
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
            pass_on(x);
    }
}

/* Some are claimed ahead; where several share the store, what waits here could run elsewhere. */
static bool has_room(struct validation *v)
{
    size_t carried_out = 0;
    pthread_mutex_lock(&v->lock);
    bool draining = v->draining;
    pthread_mutex_unlock(&v->lock);
    if (!v->shared)
        return v->workers_max > 0 && v->n_active < 2 * v->workers_max + 2;
    for (const struct execution *x = v->active; x; x = x->next)
        carried_out += (x->from == FROM_RUNS || x->from == FROM_NIGHT) && !x->seized;
    return !draining && carried_out < v->workers_max;
}

static bool may_claim(struct validation *v, enum source from)
{
    bool serves = v->shared && !v->config.only_work && v->n_active < v->workers_max + AHEAD_BACK;
    switch (from) {
    case FROM_BACK: return serves;
    case FROM_NIGHT_BACK: return serves && v->leading && nights_ready(v);
    case FROM_RUNS: return has_room(v);
    case FROM_NIGHT: return has_room(v) && (v->shared || nights_ready(v));
    case SOURCES: break;
    }
    return false;
}

/* What came back goes first, then runs that somebody asked for, then those of a night. */
static enum source next_source(struct validation *v)
{
    int64_t now = clock_mono_ns(v->config.clock);
    enum source from = FROM_BACK;
    while (from != SOURCES && (now < v->dry_until_ns[from] || !may_claim(v, from)))
        from++;
    return from;
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
    enum source from = next_source(v);
    if (!v->claiming && from != SOURCES)
        supervisor_claim(v, from);
}

/* --- time --- */

static void heartbeat(struct validation *v, int64_t now)
{
    if (now < v->heartbeat_ns)
        return;
    v->heartbeat_ns = now + v->config.claim_ms / 4 * NS_PER_MS;
    for (struct execution *x = v->active; x; x = x->next)
        supervisor_queue_say(x, QUEUE_HEARTBEAT, v->config.claim_ms);
}

static void tick(evutil_socket_t fd, short what, void *ctx)
{
    struct validation *v = ctx;
    int64_t now = clock_mono_ns(v->config.clock);
    (void)fd, (void)what;
    live_tick(v, now);
    if (v->stopping)
        return;
    heartbeat(v, now);
    handing_tell(v, now);
    if (!v->config.only_work) {
        nights_tick(v, clock_wall_ms(v->config.clock));
        retention_tick(v, clock_wall_ms(v->config.clock));
    }
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

static void run_errands(struct validation *v)
{
    while (has_errands(v)) {
        struct mail *next;
        for (struct mail *m = mailbox_wait(v->mailbox, STOP_WAIT_MS); m; m = next) {
            next = m->next;
            m->run(m);
        }
    }
}

/* What runs is ended; the claims are given up, so that a restart takes the runs at once. The lease
 * is left last: an answer about it may have been on its way. */
static void wind_up(struct validation *v)
{
    for (struct execution *x = v->active; x; x = x->next) {
        if (x->planned)
            execution_abandon(x);
        if (x->planned && !x->judging && v->shared && !x->returned && !x->begun && !x->seized)
            handing_give_back(x);
        else if (!x->judging)
            supervisor_queue_say(x, QUEUE_HEARTBEAT, 0);
    }
    run_errands(v);
    nights_leave(v);
    run_errands(v);
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
    if (!store_shared(v->config.store))
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
    v->threads = thread_start(&v->thread, "supervisor", THREAD_SOON, supervise, v, e);
    return v->threads;
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
