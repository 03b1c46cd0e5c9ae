/* arm: the last hour of one model, read out of its windows for the judgement. Room: telemetry,
 * private. Threads: one owner; arm_read() takes the model's lock for some 50 us. */
#ifndef PADDOCK_TELEMETRY_ARM_H
#define PADDOCK_TELEMETRY_ARM_H

#include "telemetry/health.h"
#include "telemetry/live.h"

/* The sketches that a health_arm points to. Recycled from model to model. */
struct arm {
    struct health_arm view;
    struct tally minutes[HEALTH_MINUTES + 1];
    struct tally five;
};

void arm_init(struct arm *a);
void arm_release(struct arm *a);
/* Read minutes from now - 60 min on; `l` NULL: a model without records. The five minutes are the
 * slots that start in them, so they cover 4 to 5 minutes and the open one. */
void arm_read(struct arm *a, struct live *l, int64_t now_ms);

#endif
