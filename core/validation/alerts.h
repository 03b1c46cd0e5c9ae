/* alerts: which runs somebody should look at. Room: validation. Threads: [verdicts]. */
#ifndef PADDOCK_VALIDATION_ALERTS_H
#define PADDOCK_VALIDATION_ALERTS_H

#include "validation/inner.h"

typedef bool decide_fn(struct command *c, struct head *h, struct changes *out, struct err *e);
typedef bool command_fn(struct execution *x, struct arena *a, void *args, decide_fn *decide);

/* Raise or resolve the alerts of a run by way of `command`. False: try again. */
bool alerts_of_run(struct execution *x, const struct run *r, const char *sentence, struct arena *a,
                   command_fn *command);

#endif
