/* strategy_turn: a question to an instance, as text, and its answer. Room: worker.
 * Threads: [main] */
#ifndef PADDOCK_WORKER_STRATEGY_TURN_H
#define PADDOCK_WORKER_STRATEGY_TURN_H

#include "worker/strategy.h"

/* The operation "turn" of extend/strategy_protocol.h; `now_ms` is set. Appends the members of the
 * answer. False with why: the plugin broke a rule, or the question is none. */
bool strategy_take_turn(struct strategy *s, const json_t *question, struct bytes *out,
                        struct err *e) MUST_CHECK;

#endif
