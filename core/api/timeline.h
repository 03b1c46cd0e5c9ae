/* timeline: who was stable, canary and held, told from the journal. Room: api. */
#ifndef PADDOCK_API_TIMELINE_H
#define PADDOCK_API_TIMELINE_H

#include "api/call.h"

/* Answer GET ~/registered-models/{name}?at=. [loop] */
void timeline_answer_at(struct call *c);

#endif
