/* strategies: asks the strategies about their routes, and publishes what they answer.
 * Room: selection. Threads: [any] but where said.
 *
 * One thread of its own asks, about once a second. Each plugin that a route uses has one process
 * (extend/strategy_process.h) with an instance for each of its routes, so what a plugin does to
 * its process costs its own routes only, and those only freshness: the last weights stand until
 * better ones come, and strategies_status() says so. A route whose turn ended the process waits,
 * longer each time, before it may try again.
 *
 * What an instance has learned is kept in the store, in one value with the offset in the outcomes'
 * log up to which it was told, the weights and the ranges of buckets in force. After a restart,
 * whichever process died, it is given that state and told the rest, so that it says what it would
 * have said; and until it is asked the kept weights are published as they were. */
#ifndef PADDOCK_SELECTION_STRATEGIES_H
#define PADDOCK_SELECTION_STRATEGIES_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "extend/catalog.h"
#include "selection/weights.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STRATEGIES_EVERY_MS 1000  /* between two turns of a route */
#define STRATEGIES_KEEP_MS  5000  /* between two states that are kept, while there is news */
#define STRATEGIES_TURN_MS  2000  /* a turn that takes longer has hung */
#define STRATEGIES_WAIT_MS  1000  /* of a route whose turn ended its process; then 2, 4 ... times */
#define STRATEGIES_WAIT_MAX 60000 /* at most */
#define STRATEGY_ROUTES_MAX 10000 /* that strategies weigh */

/* A score of outcomes, as paddock_score. */
struct strategy_score {
    const char *name;
    uint64_t count;
    double mean, variance;
};

/* As enum paddock_health: these numbers are spoken. */
enum strategy_health { STRATEGY_UNKNOWN, STRATEGY_HEALTHY, STRATEGY_DEGRADED, STRATEGY_UNHEALTHY };

/* One that may serve, with its live figures: as paddock_candidate. */
struct strategy_candidate {
    const char *arm; /* what is published: the route's name of it, or the model's id */
    const char *model_id, *name, *version, *status;
    double configured; /* 0..1; NAN: none */
    enum strategy_health health;
    uint64_t model_uid;
    uint64_t window_ms, requests, errors;
    double mean_ms, p50_ms, p95_ms, p99_ms; /* NAN: unknown */
    const struct strategy_score *scores;
    size_t n_scores;
};

/* A route that a strategy weighs. */
struct strategy_route {
    const char *ns, *route;
    uint64_t uid;         /* of its document, 0: a name's own; another one begins anew */
    const char *strategy; /* the plugin's id */
    const char *params;   /* JSON object, or NULL */
    const struct strategy_candidate *candidates;
    size_t n; /* at most ARMS_MAX are asked about */
};

/* As paddock_outcome, and where it stands in the log. */
struct strategy_outcome {
    uint64_t offset;
    const char *decision_id, *model_id, *name;
    double value, propensity;
    int64_t at_ms;
};

struct strategy_outcomes {
    const struct strategy_outcome *list; /* in the order of the log */
    size_t n;
    uint64_t upto; /* there are no others up to this offset */
};

/* Where routes and outcomes come from. [strategies]; results live in the arena. False leaves
 * everything as it is for this time. */
struct strategy_source {
    bool (*routes)(void *ctx, struct arena *a, const struct strategy_route **list, size_t *n);
    /* The outcomes of the route behind `after`, at most `max`. NULL: there are none at all. */
    bool (*outcomes)(void *ctx, const struct strategy_route *route, uint64_t after, size_t max,
                     struct arena *a, struct strategy_outcomes *out);
    /* What was learned up to this offset is kept for good. NULL: nobody wants to know. */
    void (*kept)(void *ctx, const char *ns, const char *route, uint64_t uid, uint64_t offset);
    /* Changes when outcomes are told anew, under other offsets, beyond what is kept. NULL: never.
     */
    uint64_t (*life)(void *ctx);
    void *ctx;
};

/* All borrowed for its life. */
struct strategies_config {
    struct catalog *catalog;
    const struct worker_settings *worker;
    struct store *store;
    const struct clock *clock;
    struct weights *weights;
    const struct strategy_source *source;
    int every_ms, keep_ms, turn_ms, wait_ms; /* 0: as above; tests are less patient */
};

struct strategies;

/* Start the thread. NULL if there is none to be had. */
struct strategies *strategies_start(const struct strategies_config *config, struct err *e)
    MUST_CHECK;
/* Keep what was learned, end the processes and the thread. NULL is allowed. */
void strategies_stop(struct strategies *s);
/* There are outcomes, or other routes: do not wait for the second to be over. */
void strategies_wake(struct strategies *s);

/* How fresh a route's weights are. */
enum strategy_freshness {
    STRATEGY_WAITING, /* it was not asked yet */
    STRATEGY_FRESH,
    STRATEGY_STALE, /* the last turns failed: what was published stands */
    STRATEGY_SILENT /* it has no answer for these candidates: what was published stands */
};
extern const char *const STRATEGY_FRESHNESS_NAMES[];

struct strategy_status {
    enum strategy_freshness freshness;
    int64_t answered_at_ms; /* the last answer, 0: none since the start */
    uint64_t turns, failures, restarts;
    uint64_t offset; /* of the log, told up to here */
    char error[512]; /* of the last failure; "" after a success */
    bool restored;   /* it goes on with a state that was kept */
    int pid;         /* of its process, 0: none */
};
/* How the routes of one strategy do. */
struct strategy_summary {
    uint64_t routes[STRATEGY_SILENT + 1]; /* by freshness */
    char error[512];                      /* of one that is stale; "": none is */
};
void strategies_summary(struct strategies *s, const char *strategy, struct strategy_summary *out);
/* False: no strategy weighs this route. */
bool strategies_status(struct strategies *s, const char *ns, const char *route,
                       struct strategy_status *out);

#endif
