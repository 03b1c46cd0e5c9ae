/* api: what the handlers share, and the table of all operations. Room: api. Threads: built by
 * [main], then read by every loop; the parts it points to say their own rules.
 *
 * A handler is translation: request to query or command, result to reply. Nothing here decides. */
#ifndef PADDOCK_API_API_H
#define PADDOCK_API_API_H

#include "base/clock.h"
#include "base/pool.h"
#include "api/denials.h"
#include "api/token_usage.h"
#include "engine/engine.h"
#include "engine/idempotency.h"
#include "extend/policies.h"
#include "feed/deliver.h"
#include "feed/feed.h"
#include "http/route.h"
#include "http/server.h"
#include "store/store.h"
#include "telemetry/health.h"
#include "telemetry/telemetry.h"

#include <stdbool.h>
#include <stdint.h>

struct catalog;

struct validation;
struct selector_shared;
struct outcomes;
struct facts;
struct decisions;
struct selection_counts;
struct strategy_log;
struct breaker;
struct experiments;
struct experiment_evidence;

struct api {
    struct store *store;
    struct engine *engine;
    struct telemetry *telemetry;
    struct health_judge *judge;
    struct idempotency *keys;
    struct feed *feed;
    struct waiters *waiters; /* reads that wait for a change */
    struct deliveries *deliveries;
    struct validation *validation;
    struct strategies *strategies;
    const struct selector_shared *selection;
    struct outcomes *outcomes;
    struct facts *facts; /* NULL: outcomes are of this node alone */
    struct decisions *decisions;
    struct selection_counts *selections;
    struct strategy_log *strategy_log;
    struct breaker *breaker;
    struct experiments *experiments;
    struct experiment_evidence *evidence;
    struct token_usage *usage;
    struct denials *denials;
    struct catalog *plugins;
    struct pool *readers;
    struct policies *policies; /* Lua, extend/policies.h */
    const struct clock *clock;
    const struct rules *rules;
    const struct gate_source *gate;     /* the engine's; NULL: evidence is "none" */
    _Atomic(struct http_server *) http; /* set once it has started */
    const char *config_json; /* the reply of GET ~/config, rendered at start; no secrets */
    const char *version;     /* "0.1.0" */
    int64_t started_ms;
    bool allow_anonymous;      /* while no token exists, also clients of other machines */
    int metrics_detail;        /* enum metrics_detail */
    unsigned list_on_loop_max; /* lists over more models than this run on the readers [2000] */
};

enum metrics_detail { METRICS_OFF, METRICS_COUNTERS, METRICS_FULL };

/* The whole API, ends with a row without a path. */
extern const struct route ROUTES[];

/* Loop hooks for http_config: make and free what each loop keeps (its view reader, recycled
 * batches). */
bool api_loop_start(struct loop *l, void *app, struct err *e);
void api_loop_stop(struct loop *l, void *app);
/* The tick hook: reads that wait for a change (?min_seq=). */
void api_loop_tick(struct loop *l, void *app);
/* Authorization hook: who asks, and whether he may (access.c). */
bool api_authorize(struct request *rq, struct err *e);

#endif
