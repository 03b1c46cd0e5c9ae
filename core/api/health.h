/* health: the health of one model as JSON. Room: api. Threads: those of the work. */
#ifndef PADDOCK_API_HEALTH_H
#define PADDOCK_API_HEALTH_H

#include "api/work.h"

/* Append the health object of the model that `reference` leads to. On reader threads only. */
bool health_put(struct work *w, const char *reference) MUST_CHECK;

#endif
