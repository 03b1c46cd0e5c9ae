/* A run's tests in their workers. */
#include "validation/inner.h"

#include "extend/plugin_traits.h"

#include <event2/event.h>
#include <math.h>
#include <string.h>

#define LOGS_MAX ((size_t)48 << 20) /* of a run's logs; what comes after is cut to its end: */
#define LOG_CUT  1024

/* --- results --- */

static const char *copied(struct execution *x, const char *text)
{
    return text ? arena_text(x->arena, text) : NULL;
}

static void take_checks(struct execution *x, const struct worker_result *from,
                        struct test_result *to)
{
    to->checks = arena_zero(x->arena, (from->n_checks + 1) * sizeof *to->checks);
    to->checks_len = from->n_checks;
    for (size_t i = 0; i < from->n_checks; i++)
        to->checks[i] = (struct check){.name = copied(x, from->checks[i].name),
                                       .ok = from->checks[i].ok,
                                       .level = CHECK_LEVELS[from->checks[i].warn],
                                       .detail = copied(x, from->checks[i].detail)};
}

static const char *better_known(const struct worker_measurement *m)
{
    const char *name = measured_better(m);
    for (size_t i = 0; name && BETTER_NAMES[i]; i++)
        if (strcmp(BETTER_NAMES[i], name) == 0)
            return BETTER_NAMES[i];
    return NULL;
}

static void take_measurements(struct execution *x, const struct worker_result *from,
                              struct test_result *to)
{
    to->measurements = arena_zero(x->arena, (from->n_measurements + 1) * sizeof *to->measurements);
    to->measurements_len = from->n_measurements;
    for (size_t i = 0; i < from->n_measurements; i++) {
        const struct worker_measurement *m = &from->measurements[i];
        struct measurement *out = &to->measurements[i];
        measurement_init(out);
        out->name = copied(x, m->name);
        out->value = m->value;
        out->unit = m->unit ? copied(x, m->unit) : "";
        out->better = better_known(m);
        out->target = better_of(out->better) == BETTER_TARGET ? m->target : NAN;
        out->samples = (int64_t)m->samples;
        out->variance = m->variance;
        out->critical = m->critical;
        out->margin_ratio = m->margin_ratio;
        if (m->values)
            measurement_take_values(out, m->values, m->baseline_values, m->n_values);
    }
}

static const char *take_log(struct execution *x, const struct worker_result *from)
{
    size_t len = from->log_len, skip = 0;
    if (x->results_bytes > LOGS_MAX && len > LOG_CUT)
        skip = len - LOG_CUT;
    while (skip < len && ((unsigned char)from->log[skip] & 0xC0) == 0x80)
        skip++; /* begin with a whole character */
    x->results_bytes += len - skip;
    return arena_copy(x->arena, from->log + skip, len - skip);
}

static void take_result(struct planned_test *t)
{
    struct execution *x = t->execution;
    const struct worker_result *from = worker_result(t->worker);
    struct test_result *to = &t->result;
    to->status = RESULT_STATUSES[from->status];
    to->message = copied(x, from->message);
    to->duration_ms = (int64_t)llrint(from->duration_ms);
    take_checks(x, from, to);
    take_measurements(x, from, to);
    to->log = take_log(x, from);
    plugin_used(t->plugin, from->status == WORKER_ERROR || from->status == WORKER_TIMEOUT ||
                               from->status == WORKER_CRASHED);
}

/* --- a worker --- */

static void drop_event(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

static void drop_worker(struct planned_test *t)
{
    struct validation *v = t->execution->v;
    drop_event(&t->report);
    drop_event(&t->log);
    drop_event(&t->wake);
    worker_free(t->worker);
    t->worker = NULL;
    t->execution->running--;
    pthread_mutex_lock(&v->lock);
    v->workers_running--;
    v->tests_total++;
    pthread_mutex_unlock(&v->lock);
    if (t->alone)
        v->alone = false;
}

static void note_over(struct planned_test *t)
{
    struct execution *x = t->execution;
    pthread_mutex_lock(&x->v->lock);
    t->over = true;
    x->run.results[x->run.results_len++] = t->result;
    x->run.progress.done = (int64_t)++x->done;
    pthread_mutex_unlock(&x->v->lock);
}

static void arm_wake(struct planned_test *t, int64_t now_ns)
{
    int64_t left = worker_wake_ns(t->worker) - now_ns;
    left = left < 1000000 ? 1000000 : left;
    const struct timeval tv = {.tv_sec = left / 1000000000, .tv_usec = left % 1000000000 / 1000};
    event_add(t->wake, &tv);
}

static void feed(struct planned_test *t)
{
    struct validation *v = t->execution->v;
    int64_t now = clock_mono_ns(v->config.clock);
    worker_feed(t->worker, now);
    if (worker_report_fd(t->worker) < 0)
        drop_event(&t->report);
    if (worker_log_fd(t->worker) < 0)
        drop_event(&t->log);
    if (!worker_done(t->worker)) {
        arm_wake(t, now);
        return;
    }
    take_result(t);
    drop_worker(t);
    note_over(t);
    supervisor_pump(v);
}

static void readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    feed(ctx);
}

static bool watch(struct planned_test *t)
{
    struct event_base *base = t->execution->v->base;
    const short always = EV_READ | EV_PERSIST;
    t->report = event_new(base, worker_report_fd(t->worker), always, readable, t);
    t->log = event_new(base, worker_log_fd(t->worker), always, readable, t);
    t->wake = event_new(base, -1, 0, readable, t);
    return t->report && t->log && t->wake && event_add(t->report, NULL) == 0 &&
           event_add(t->log, NULL) == 0;
}

static void start_test(struct planned_test *t)
{
    struct execution *x = t->execution;
    struct validation *v = x->v;
    struct err e = {0};
    t->started = true;
    t->worker = worker_start(v->config.worker, &t->job, &e);
    if (!t->worker) {
        t->result.status = RESULT_STATUSES[2];
        t->result.message = copied(x, e.detail);
        note_over(t);
        return;
    }
    x->running++;
    v->alone |= t->alone;
    pthread_mutex_lock(&v->lock);
    v->workers_running++;
    pthread_mutex_unlock(&v->lock);
    if (watch(t)) {
        arm_wake(t, clock_mono_ns(v->config.clock));
        return;
    }
    t->result.status = RESULT_STATUSES[2];
    t->result.message = "the server has no memory to watch the test";
    drop_worker(t);
    note_over(t);
}

bool execution_advance(struct execution *x)
{
    struct validation *v = x->v;
    for (size_t i = 0; i < x->n; i++) {
        struct planned_test *t = &x->tests[i];
        if (t->started)
            continue;
        if (t->over) { /* it could not be planned */
            t->started = true;
            note_over(t);
            continue;
        }
        if (v->alone || v->workers_running >= v->workers_max ||
            (t->alone && v->workers_running > 0))
            return false;
        start_test(t);
    }
    return true;
}

bool execution_is_over(const struct execution *x)
{
    return x->done == x->n;
}

void execution_abandon(struct execution *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->tests[i].worker)
            drop_worker(&x->tests[i]);
}

void execution_cancel(struct execution *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct planned_test *t = &x->tests[i];
        if (t->worker) {
            worker_cancel(t->worker);
        } else if (!t->started) {
            t->started = true;
            t->result.status = RESULT_STATUSES[5];
            t->result.message = "the run was cancelled before the test began";
            note_over(t);
        }
    }
}
