/* validated: what the runs of its tests say of a model's health. Room: telemetry. Threads: pure,
 * [any]. */
#ifndef PADDOCK_TELEMETRY_VALIDATED_H
#define PADDOCK_TELEMETRY_VALIDATED_H

#include "registry/validation_summary.h"
#include "telemetry/health.h"

/* From the newest run that counts: a partial one that failed after the newest complete one, else
 * that, else the newest of all. It fails the check where the run failed (severity `high` fails a
 * run), warns where it passed with a regression of severity `medium`, and leaves it unknown where
 * the run could not be carried out: that says nothing of the model. NULL: no run. */
void health_validated(const struct validation_summary *s, struct health_validated *out);

#endif
