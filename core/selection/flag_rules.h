/* flag_rules: what rollout policies demand of flags, for the decisions of the registry.
 * Room: selection. Threads: plan() on [engine]; it reads declarations and runs no Lua. */
#ifndef PADDOCK_SELECTION_FLAG_RULES_H
#define PADDOCK_SELECTION_FLAG_RULES_H

#include "extend/policies.h"
#include "registry/flag.h"

/* For struct rules; borrows the catalog. */
struct rollout_policies flag_rules(struct policies *catalog);

#endif
