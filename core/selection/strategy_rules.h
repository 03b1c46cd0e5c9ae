/* strategy_rules: what strategies demand of a route's parameters, for the decisions of the
 * registry. Room: selection. Threads: check() on [engine]; it reads the plugins' tables and starts
 * nothing. */
#ifndef PADDOCK_SELECTION_STRATEGY_RULES_H
#define PADDOCK_SELECTION_STRATEGY_RULES_H

#include "base/arena.h"
#include "extend/catalog.h"
#include "registry/command.h"

/* For struct rules; borrows the catalog. */
struct strategy_types strategy_rules(struct catalog *catalog);

/* A route's parameters as its strategy is told them: without `weights`, which are the route's own.
 * In the arena; NULL gives NULL. */
const char *strategy_params(const char *params, struct arena *a);

#endif
