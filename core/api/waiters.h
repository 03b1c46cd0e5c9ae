/* waiters: loops with reads that wait for a change (?min_seq=) hear when one has come. Room: api.
 * Threads: listener [engine], the rest [loop] but where said. */
#ifndef PADDOCK_API_WAITERS_H
#define PADDOCK_API_WAITERS_H

#include "engine/engine.h"
#include "http/loop.h"

struct waiters;

/* [main] */
struct waiters *waiters_new(void) __attribute__((returns_nonnull));
/* [main] When no loop is left. NULL is allowed. */
void waiters_free(struct waiters *w);
/* For engine_listen(), before the first command. */
struct publish_listener waiters_listener(struct waiters *w);
/* Call `come` on this loop after the next change. */
void waiters_wait(struct waiters *w, struct loop *l, void (*come)(struct loop *l));
/* After it: the change came before that, so call `come` soon. */
void waiters_wake(struct waiters *w, const struct loop *l);

#endif
