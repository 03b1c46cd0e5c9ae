/* server_parts: what a server consists of, and how each part is made. Room: top, for server.c.
 * Threads: [main]. */
#ifndef PADDOCK_SERVER_PARTS_H
#define PADDOCK_SERVER_PARTS_H

#include "api/api.h"
#include "api/waiters.h"
#include "config.h"
#include "extend/catalog.h"
#include "extend/policies.h"
#include "feed/deliver.h"
#include "http/tls.h"
#include "selection/breaker.h"
#include "selection/decisions.h"
#include "selection/experiments.h"
#include "selection/flag_rules.h"
#include "selection/facts.h"
#include "selection/outcomes.h"
#include "selection/selection_counts.h"
#include "selection/selector.h"
#include "selection/shadow_watch.h"
#include "selection/strategy_routes.h"
#include "selection/strategy_rules.h"
#include "validation/validation.h"

/* Everything that runs, in the order in which it is built. */
struct server {
    struct loaded_config settings;
    struct bytes config_text;
    int lock_fd;
    struct rules rules;
    struct store *store;
    struct engine *engine;
    struct idempotency *keys;
    struct telemetry *telemetry;
    struct health_judge *judge;
    struct feed *feed;
    struct waiters *waiters;
    struct deliveries *deliveries;
    struct worker_settings worker;
    struct nursery *nursery, *nursery_http;
    char worker_program[4096], bundled_plugins[4096];
    struct catalog *plugins;
    struct validation *validation;
    struct policies *policies;
    struct token_usage *usage;
    struct denials *denials;
    struct rollout_policies flag_rules;
    struct decision_keys *decision_keys;
    struct selector_shared selection;
    struct breaker *breaker;
    struct strategy_types strategy_rules;
    struct strategy_log *strategy_log;
    struct facts *facts; /* NULL: this node is alone */
    struct outcomes *outcomes;
    struct decisions *decisions;
    struct selection_counts *selections;
    struct shadow_watch *shadows;
    struct strategy_routes strategy_routes;
    struct strategies *strategies;
    struct experiment_evidence *evidence;
    struct experiments *experiments;
    struct pool *readers;
    bool loopback; /* it listens where this machine alone reaches it */
    struct tls *tls;
    struct api api;
    struct http_server *http;
};

/* In the order in which server.c calls them; each false leaves what is made for server.c's stop().
 */
bool server_check_settings(struct server *s, struct err *e) MUST_CHECK;
bool server_check_redis(const struct config *c, struct err *e) MUST_CHECK; /* in that; of work */
void server_make_rules(struct server *s);
bool server_open_tls(struct server *s, struct err *e) MUST_CHECK;
bool server_open_policies(struct server *s, struct err *e) MUST_CHECK;
bool server_open_store(struct server *s, struct err *e) MUST_CHECK; /* and lock its directory */
bool server_open_plugins(struct server *s, struct err *e) MUST_CHECK;
bool server_open_validation(struct server *s, struct err *e) MUST_CHECK;
/* With what stands around it: kept answers, the use of tokens, denials, the feed, deliveries. */
bool server_start_engine(struct server *s, struct err *e) MUST_CHECK;
bool server_first_token(struct server *s, struct err *e) MUST_CHECK;
bool server_start_telemetry(struct server *s, struct err *e) MUST_CHECK;
/* What loops select by, and where outcomes go. */
bool server_open_selection(struct server *s, struct err *e) MUST_CHECK;
bool server_start_http(struct server *s, struct err *e) MUST_CHECK;

#endif
