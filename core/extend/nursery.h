/* nursery: where the workers of tests come from. Room: extend. Threads: [any], one at a time
 * inside.
 *
 * Most of what a short test cost was the start of paddock-worker and the libraries that a runtime
 * over HTTP needs. The nursery is one paddock-worker that has done that once and loads no plugin:
 * it forks a first stage for each test that it is asked for. What it forks are children of the
 * asking process, not its own (CLONE_PARENT), so they are waited for, killed and accounted as if
 * they had been started here, and its death harms none of them. A fork costs by what is mapped, so
 * tests without a runtime have a nursery without those libraries.
 *
 * It is started with the first test and again when it has died or does not answer; meanwhile, and
 * where it cannot be, tests start the program as before. See docs/decisions/018-nursery.md. */
#ifndef PADDOCK_EXTEND_NURSERY_H
#define PADDOCK_EXTEND_NURSERY_H

#include "extend/worker_spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Between the two: one byte with three descriptors (input, log, report) goes in; an int32_t comes
 * back, the number of the new process, or an error number times -1. */
#define NURSERY_ASK  'f'
#define NURSERY_NICE 10 /* it, and what comes from it */

/* What it has loaded, as its argument. */
#define NURSERY_PLAIN "--nursery"
#define NURSERY_HTTP  "--nursery-http"

struct nursery;

/* `program`: paddock-worker; `kind`: NURSERY_*. Borrowed. */
struct nursery *nursery_new(const char *program, const char *kind);
/* Ends it; workers that came from it go on. NULL is allowed. */
void nursery_free(struct nursery *n);

/* A new first stage with these ends, which stay the caller's; a child of this process. False: it
 * has to be started otherwise. Waits for the answer, some milliseconds. */
bool nursery_fork(struct nursery *n, const struct worker_ends *ends, pid_t *pid) MUST_CHECK;

/* Its process, 0: none now. */
pid_t nursery_pid(struct nursery *n);

#endif
