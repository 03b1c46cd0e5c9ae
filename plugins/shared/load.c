#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The turn that is under way, shared by all threads; main sets it up between two barriers. */
struct load {
    paddock_test *t;
    const struct load_plan *plan;
    const struct inputs *in;
    pthread_barrier_t start, end;
    bool over; /* no further turn */
    paddock_model *model;
    struct load_result *result;
    uint64_t until_ns; /* 0: by requests */
    uint64_t first, requests;
    bool counts; /* not the warm-up */
    _Atomic uint64_t taken, stored, errors;
    pthread_mutex_t lock; /* result->message */
};

static void note_error(struct load *l, const paddock_answer *a, const char *other)
{
    atomic_fetch_add(&l->errors, 1);
    pthread_mutex_lock(&l->lock);
    if (!*l->result->message) {
        l->result->first_error = a ? a->error : (uint32_t)PADDOCK_E_CONFIG;
        snprintf(l->result->message, sizeof l->result->message, "%s", a ? a->message : other);
    }
    pthread_mutex_unlock(&l->lock);
}

static void ask_once(struct load *l, uint64_t turn)
{
    const paddock_tensor *tensors;
    size_t n = inputs_get(l->in, l->model, turn, &tensors);
    if (n == 0) {
        note_error(l, NULL, paddock_model_message(l->model));
        return;
    }
    paddock_request rq = {.inputs = tensors, .n_inputs = n, .timeout_ms = l->plan->timeout_ms};
    const paddock_answer *a = paddock_ask(l->model, &rq);
    if (a->error != PADDOCK_OK)
        note_error(l, a, NULL);
    else if (l->counts)
        l->result->ms[l->result->n + atomic_fetch_add(&l->stored, 1)] =
            (double)a->duration_ns / 1e6;
}

/* Questions are handed out one by one, so that a slow thread does not hold up a round. */
static void take_turn(struct load *l)
{
    const paddock_host *h = l->t->host;
    for (;;) {
        uint64_t i = atomic_fetch_add(&l->taken, 1);
        if (i >= l->requests || (l->until_ns && paddock_now_ns(h) >= l->until_ns) ||
            paddock_stop(h))
            return;
        ask_once(l, l->first + i);
    }
}

static void *drive(void *self)
{
    struct load *l = self;
    for (;;) {
        pthread_barrier_wait(&l->start);
        if (l->over)
            return NULL;
        take_turn(l);
        pthread_barrier_wait(&l->end);
    }
}

/* One turn of one model; the threads wait at `start` before and after. */
static double turn(struct load *l, paddock_model *m, struct load_result *r, uint64_t requests)
{
    l->model = m;
    l->result = r;
    l->requests = requests;
    atomic_store(&l->taken, 0);
    atomic_store(&l->stored, 0);
    atomic_store(&l->errors, 0);
    uint64_t start = paddock_now_ns(l->t->host);
    l->until_ns = l->counts && l->plan->round_ns ? start + l->plan->round_ns : 0;
    pthread_barrier_wait(&l->start);
    pthread_barrier_wait(&l->end);
    return (double)(paddock_now_ns(l->t->host) - start) / 1e9;
}

static void count_round(struct load *l, struct load_result *r, double seconds)
{
    struct load_round *round = &r->rounds[r->n_rounds++];
    *round = (struct load_round){
        .first = r->n, .n = (size_t)l->stored, .errors = l->errors, .seconds = seconds};
    qsort(r->ms + round->first, round->n, sizeof *r->ms, compare_doubles);
    r->n += round->n;
    r->errors += round->errors;
}

static void run_rounds(struct load *l, paddock_model *const *models, size_t n,
                       struct load_result *results)
{
    const struct load_plan *plan = l->plan;
    for (size_t i = 0; i < n && plan->warmup; i++)
        turn(l, models[i], &results[i], plan->warmup);
    l->counts = true;
    for (unsigned round = 0; round < plan->rounds && !paddock_stop(l->t->host); round++) {
        double seconds[2];
        uint64_t counts[2][2];
        for (size_t i = 0; i < n; i++) {
            size_t which = round % 2 ? n - 1 - i : i;
            struct load_result *r = &results[which];
            uint64_t room = plan->max_requests - r->n;
            uint64_t wanted = plan->round_requests ? plan->round_requests : UINT64_MAX;
            seconds[which] = turn(l, models[which], r, wanted < room ? wanted : room);
            counts[which][0] = l->stored;
            counts[which][1] = l->errors;
        }
        if (paddock_stop(l->t->host)) /* cut short: not comparable */
            return;
        for (size_t i = 0; i < n; i++) {
            atomic_store(&l->stored, counts[i][0]);
            atomic_store(&l->errors, counts[i][1]);
            count_round(l, &results[i], seconds[i]);
        }
        l->first += plan->round_requests ? plan->round_requests : l->taken;
    }
}

bool load_run(paddock_test *t, const struct load_plan *plan, const struct inputs *in,
              paddock_model *const *models, size_t n, struct load_result *results, struct why *why)
{
    struct load l = {.t = t, .plan = plan, .in = in};
    pthread_t *threads = calloc(plan->threads, sizeof *threads);
    bool memory = threads != NULL;
    unsigned started = 0;
    for (size_t i = 0; i < n; i++) {
        results[i].ms = malloc((size_t)plan->max_requests * sizeof *results[i].ms);
        memory = memory && results[i].ms;
    }
    if (!memory) {
        say_why(why, "out of memory for %llu requests", (unsigned long long)plan->max_requests);
        free(threads);
        return false;
    }
    pthread_mutex_init(&l.lock, NULL);
    pthread_barrier_init(&l.start, NULL, plan->threads + 1);
    pthread_barrier_init(&l.end, NULL, plan->threads + 1);
    while (started < plan->threads && pthread_create(&threads[started], NULL, drive, &l) == 0)
        started++;
    if (started < plan->threads) { /* those that wait at the barrier end with the process */
        return say_why(why, "only %u of %u threads could be started", started, plan->threads);
    }
    run_rounds(&l, models, n, results);
    l.over = true;
    pthread_barrier_wait(&l.start);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&l.start);
    pthread_barrier_destroy(&l.end);
    pthread_mutex_destroy(&l.lock);
    free(threads);
    return true;
}

void load_release(struct load_result *r)
{
    free(r->ms);
    r->ms = NULL;
}

int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double sorted_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0)
        return (double)NAN;
    size_t rank = (size_t)ceil(q * (double)n);
    return sorted[rank ? rank - 1 : 0];
}
