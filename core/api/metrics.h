/* metrics: the metrics of one model as JSON. Room: api. Threads: those of the work. */
#ifndef PADDOCK_API_METRICS_H
#define PADDOCK_API_METRICS_H

#include "api/work.h"

/* Append the metrics object of the default window (1 h). */
bool metrics_put_default(struct work *w, const struct model_key *key) MUST_CHECK;

#endif
