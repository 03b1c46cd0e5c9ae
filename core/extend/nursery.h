/* nursery: where the workers of tests come from. Room: extend. Threads: [any], one at a time
 * inside.
 *
 * Most of what a short test cost was the start of paddock-worker and of the libraries that a
 * runtime over HTTP needs, then the address space of a process for the first stage. So first stages
 * are kept: one that has ended its test waits for the next. It has loaded no plugin and read of a
 * job only the terms; what the plugin reported lies where second stages do not get it. Each is a
 * child of this process. One costs memory for what it has mapped, and a fork costs by that too, so
 * tests without a runtime have a nursery without libcurl. One that has had no test for some
 * milliseconds makes ready what its next one needs (worker/first_stage.h).
 *
 * Another is started when all are taken. One that has died is noticed and replaced; where none can
 * be started, tests start the program anew. See docs/decisions/018-nursery.md. */
#ifndef PADDOCK_EXTEND_NURSERY_H
#define PADDOCK_EXTEND_NURSERY_H

#include "extend/worker_spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Between the two: an int32_t comes when one is ready; one byte with three descriptors (input, log,
 * report) goes in for each test; an int32_t comes back when it is over, the exit status that it
 * would have ended with, before the descriptors are closed. */
#define NURSERY_ASK  'f'
#define NURSERY_NICE 10 /* it, and what comes from it */
#define NURSERY_IDLE 16 /* at most so many wait for a test */

/* What it has loaded, as its argument. */
#define NURSERY_PLAIN "--nursery"
#define NURSERY_HTTP  "--nursery-http"

struct nursery;

/* `program`: paddock-worker; `kind`: NURSERY_*. Borrowed. */
struct nursery *nursery_new(const char *program, const char *kind);
/* Ends those that wait; all that were taken have been given back. NULL is allowed. */
void nursery_free(struct nursery *n);

/* A first stage with these ends, which stay the caller's. False: it has to be started otherwise.
 * Waits for a new one to be ready, some milliseconds, if all are taken. */
bool nursery_take(struct nursery *n, const struct worker_ends *ends, struct kept *out) MUST_CHECK;
/* Its test is over: its pipes are closed. Returns how it ended, as waitpid() tells it. `again`: it
 * may do another; it must not if it has been sent a signal. */
int nursery_give_back(struct nursery *n, struct kept *kept, bool again);

/* Whose turn is next; 0: a new one's. */
pid_t nursery_next(struct nursery *n);
/* Is it one of those that wait? */
bool nursery_has(struct nursery *n, pid_t pid);

#endif
