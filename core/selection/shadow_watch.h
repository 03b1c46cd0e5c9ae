/* shadow_watch: raises the alert "shadow_silent" when a shadow gets nothing, and ends it when
 * something came of it, or nobody wants it any more. Room: selection. Threads: one of its own.
 *
 * A shadow is silent when over some time (config.silent_ms) decisions that should have named it
 * were made, SHADOW_LEAST or more, and neither a record nor an outcome of it came: either its
 * reference leads to no model that may be one, or its clients do not send it what they should.
 * What is counted is what this node decided and was told; `shared` says that other nodes are told
 * too, so that any record of the model in that time, wherever, counts as well. */
#ifndef PADDOCK_SELECTION_SHADOW_WATCH_H
#define PADDOCK_SELECTION_SHADOW_WATCH_H

#include "engine/engine.h"
#include "selection/selection_counts.h"
#include "telemetry/telemetry.h"

#define SHADOW_LEAST 100

/* One shadow of one route. Counters only grow; `since_ms` and the rest are of where it begins. */
struct shadow_figures {
    uint64_t asked, named, reported; /* of the route; of the shadow */
};
struct shadow_seen {
    int64_t since_ms;
    struct shadow_figures then;
};
enum shadow_turn { SHADOW_WAITING, SHADOW_HEARD, SHADOW_SILENT };
/* Where a turn is taken, waiting begins anew. */
enum shadow_turn shadow_step(struct shadow_seen *seen, const struct shadow_figures *now,
                             double share_ratio, int64_t now_ms, int64_t silent_ms);

/* The dedupe key of the alert about a route's shadow. In the arena. */
const char *shadow_alert_key(struct arena *a, const char *route, const char *reference);

struct shadow_watch_config { /* all borrowed */
    struct engine *engine;
    struct telemetry *telemetry;
    struct selection_counts *counts;
    const struct clock *clock;
    int64_t silent_ms; /* 0: nobody watches */
    bool shared;
};

struct shadow_watch;
struct shadow_watch *shadow_watch_start(const struct shadow_watch_config *config, struct err *e)
    MUST_CHECK;
void shadow_watch_stop(struct shadow_watch *w); /* before the engine; NULL is allowed */

#endif
