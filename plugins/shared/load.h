/* load: closed-loop load on models from several threads, in rounds that take turns.
 * Plugin code of the test "performance", shared by compiling it in. Threads: [main]. */
#ifndef PADDOCK_PLUGINS_LOAD_H
#define PADDOCK_PLUGINS_LOAD_H

#include "inputs.h"

#define LOAD_ROUNDS_MAX 1000

struct load_plan {
    unsigned threads, rounds;
    uint64_t round_requests; /* of each model in a round, over all threads; 0: by time */
    uint64_t round_ns;       /* length of a round; 0: by requests */
    uint64_t max_requests;   /* of each model in all; memory is taken for them */
    uint64_t timeout_ms;     /* of one request */
    uint64_t warmup;         /* requests of each model before, which count for nothing */
};

/* One round of one model. */
struct load_round {
    size_t first, n; /* its latencies in load_result.ms, sorted */
    uint64_t errors;
    double seconds;
};

/* Of one model. */
struct load_result {
    double *ms; /* latency of every good answer, round after round */
    size_t n;
    uint64_t errors;
    struct load_round rounds[LOAD_ROUNDS_MAX];
    unsigned n_rounds; /* whole ones */
    uint32_t first_error;
    char message[300]; /* of the first error; "" if there was none */
};

/* Drive the models, `n` of them (1 or 2), each with the same questions in the same order; in every
 * other round they change places. Stops early, with whole rounds, when the run's time is nearly up.
 * False with a sentence in `why` if there are no threads or no memory. Free with load_release(). */
bool load_run(paddock_test *t, const struct load_plan *plan, const struct inputs *in,
              paddock_model *const *models, size_t n, struct load_result *results, struct why *why);
void load_release(struct load_result *r);

/* Exact quantile of sorted values, the smallest of which q of all are no larger; NAN of none. */
double sorted_quantile(const double *sorted, size_t n, double q);
int compare_doubles(const void *a, const void *b); /* for qsort */

#endif
