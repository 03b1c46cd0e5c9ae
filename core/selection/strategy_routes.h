/* strategy_routes: which routes a strategy weighs, and which matches without a route, with
 * candidates and live figures, for the strategies' thread. Room: selection. Threads: [strategies],
 * but made and freed by [main]. */
#ifndef PADDOCK_SELECTION_STRATEGY_ROUTES_H
#define PADDOCK_SELECTION_STRATEGY_ROUTES_H

#include "engine/engine.h"
#include "selection/matches.h"
#include "selection/strategies.h"
#include "selection/strategy_log.h"
#include "telemetry/telemetry.h"

#define STRATEGY_WINDOW_MS 300000 /* of live figures */

struct strategy_routes {
    struct strategy_source source;
    struct view_reader *reader;
    struct telemetry *telemetry;
    struct strategy_log *log;
    struct matches *matches;
    const struct clock *clock;
};

/* All borrowed. False: the engine takes no more readers. */
bool strategy_routes_init(struct strategy_routes *r, struct engine *engine,
                          struct telemetry *telemetry, struct strategy_log *log,
                          struct matches *matches, const struct clock *clock, struct err *e)
    MUST_CHECK;
void strategy_routes_release(struct strategy_routes *r); /* before the engine stops */

#endif
