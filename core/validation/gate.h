/* gate: evidence for promotions, from what the runs of a model say. Room: validation.
 * Threads: [engine] and [loop]; reads the view and the table of runs, waits for nothing. */
#ifndef PADDOCK_VALIDATION_GATE_H
#define PADDOCK_VALIDATION_GATE_H

#include "registry/command.h"

/* A gate_source's judge; `self` is the struct validation. Its conditions, in this order:
 *   validation   the newest complete run passed, and is about today's source, runtime and tests
 *   partial      no partial run after it has failed
 *   severity     its worst regression is not above the rule's maximum
 *   age          it is not older than the rule's maximum
 *   test:TYPE    of each required type it has gate tests, and all of them passed
 *   experiment   where the rule wants one
 * A name without gate tests and required types has none of the first four. */
bool gate_judge_runs(void *self, const struct gate_question *q, const struct gate_rule *rule,
                     struct arena *a, struct gate_verdict *out);

#endif
