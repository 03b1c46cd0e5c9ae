/* How the parts are made that select, and hear what came of it. */
#include "server_parts.h"

#include "store/nodes.h"

#include <stdio.h>

static bool start_strategies(struct server *s, struct err *e)
{
    if (!strategy_routes_init(&s->strategy_routes, s->engine, s->telemetry, s->strategy_log,
                              s->selection.matches, &CLOCK_SYSTEM, e))
        return false;
    const struct strategies_config config = {.catalog = s->plugins,
                                             .worker = &s->worker,
                                             .store = s->store,
                                             .clock = &CLOCK_SYSTEM,
                                             .weights = s->selection.weights,
                                             .source = &s->strategy_routes.source};
    s->strategies = strategies_start(&config, e);
    return s->strategies != NULL;
}

static bool start_experiments(struct server *s, struct err *e)
{
    const struct experiments_config config = {.engine = s->engine,
                                              .store = s->store,
                                              .clock = &CLOCK_SYSTEM,
                                              .weights = s->selection.weights,
                                              .evidence = s->evidence};
    s->experiments = experiments_start(&config, e);
    return s->experiments != NULL;
}

static bool start_shadow_watch(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct shadow_watch_config config = {.engine = s->engine,
                                               .telemetry = s->telemetry,
                                               .counts = s->selections,
                                               .clock = &CLOCK_SYSTEM,
                                               .silent_ms = c->shadow_silent_ms,
                                               .shared = *c->redis_url != '\0'};
    s->shadows = c->shadow_silent_ms ? shadow_watch_start(&config, e) : NULL;
    return s->shadows || !c->shadow_silent_ms;
}

bool server_open_selection(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    char own[4096];
    snprintf(own, sizeof own, "%s/decision.keys", c->data_dir);
    bool given = *c->decision_keys;
    if (!given && !decision_keys_share(s->store, own, e))
        return false;
    s->decision_keys = decision_keys_open(given ? c->decision_keys : own, !given, e);
    if (!s->decision_keys)
        return false;
    s->breaker = breaker_start(s->telemetry, s->engine, &CLOCK_SYSTEM, e);
    if (!s->breaker)
        return false;
    s->selection = (struct selector_shared){.keys = s->decision_keys,
                                            .weights = weights_new(),
                                            .matches = matches_new(),
                                            .circuit_open = breaker_cuts,
                                            .circuits = s->breaker,
                                            .ttl_max_ms = c->selection_ttl_ms};
    const struct decisions_config log = {.store = s->store,
                                         .clock = &CLOCK_SYSTEM,
                                         .keep_ms = INT64_C(86400000) * c->decision_log_days,
                                         .max_bytes = (uint64_t)c->decision_log_max_bytes};
    s->selections = selection_counts_new();
    s->decisions = decisions_open(&log, e);
    if (!s->decisions)
        return false;
    if (store_shared(s->store))
        s->facts = facts_new(&(struct facts_config){.store = s->store, .clock = &CLOCK_SYSTEM});
    s->evidence = evidence_new(s->facts);
    s->strategy_log = strategy_log_open(s->store, e);
    if (!s->strategy_log)
        return false;
    const struct outcomes_config outcomes = {
        .dir = c->data_dir,
        .facts = s->facts,
        .store = s->store,
        .clock = &CLOCK_SYSTEM,
        .window_ms = c->outcome_window_ms,
        .accept_damage = c->accept_record_damage,
        .followers = {strategy_log_follower(s->strategy_log), evidence_follower(s->evidence)},
        .follower_count = s->facts ? 1 : 2}; /* evidence hears the facts itself */
    s->outcomes = outcomes_open(&outcomes, e);
    /* Experiments listen before the facts come. */
    return s->outcomes && start_experiments(s, e) && (!s->facts || facts_start(s->facts, e)) &&
           start_strategies(s, e) && start_shadow_watch(s, e);
}
