/* second_stage: the process that holds the plugin. Room: worker. */
#ifndef PADDOCK_WORKER_SECOND_STAGE_H
#define PADDOCK_WORKER_SECOND_STAGE_H

#include "worker/job.h"

#include <stdbool.h>

/* Load and run the job's test; reports through worker/report.h. `scratch` is the current directory.
 */
_Noreturn void second_stage(const struct job *job, const char *scratch);

/* Something before that could not be done: say so, and end. */
_Noreturn void second_stage_fail(const struct err *e);

/* Has the test case a dataset of that name? */
bool host_has_dataset(const char *name);

#endif
