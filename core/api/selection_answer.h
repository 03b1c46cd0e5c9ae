/* selection_answer: how a selection is told. Room: api. Threads: pure. */
#ifndef PADDOCK_API_SELECTION_ANSWER_H
#define PADDOCK_API_SELECTION_ANSWER_H

#include "base/bytes.h"
#include "selection/selector.h"

/* Members of an object: who serves, why, and who would in its place; the candidates, if they were
 * asked for. */
void selection_put_choice(struct bytes *b, const struct selection_answer *a);
/* The same with the decision's id, its route, the view, and until when it is good. */
void selection_put_answer(struct bytes *b, const struct selection_answer *a, uint64_t seq);

#endif
