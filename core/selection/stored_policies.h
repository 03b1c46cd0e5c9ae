/* stored_policies: policies of the journal on their way into the catalog of policies.
 * Room: selection. Threads: said at each function.
 *
 * Whatever changes a stored policy is a change of entities: at the start they are taken from the
 * first view, later from each publish, so that every loop sees a change before whoever asked for
 * it has his answer, and another node's changes as well. */
#ifndef PADDOCK_SELECTION_STORED_POLICIES_H
#define PADDOCK_SELECTION_STORED_POLICIES_H

#include "engine/engine.h"
#include "extend/policies.h"

/* [main] Install all that a view has. */
void stored_policies_load(struct policies *catalog, const struct view *v);
/* For engine_listen(), before the first command. */
struct publish_listener stored_policies_listener(struct policies *catalog);

#endif
