/* ask: a command for which its caller waits. Room: engine. Threads: any that may block; never a
 * loop, never the engine's own. */
#ifndef PADDOCK_ENGINE_ASK_H
#define PADDOCK_ENGINE_ASK_H

#include "engine/engine.h"

#include <stdbool.h>

/* Hand `c` over and wait until it is done; its answer is in it. False and `e` when it was refused.
 * Sets c->done and c->owner. */
bool engine_ask(struct engine *en, struct command *c, struct err *e) MUST_CHECK;

#endif
