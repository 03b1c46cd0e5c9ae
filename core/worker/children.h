/* children: finding and ending the processes below this one. Room: worker.
 * Threads: the first stage's only thread.
 *
 * The first stage is a subreaper: whoever loses its parent, setsid() or not, becomes its child. */
#ifndef PADDOCK_WORKER_CHILDREN_H
#define PADDOCK_WORKER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_MAX 4096

/* How many threads all processes below this one have together, those that have ended and are not
 * yet reaped included. Of more than CHILDREN_MAX processes the rest is left out, here and below. */
unsigned children_tasks(void);

/* Memory of all of them, in bytes. Shared pages count once as soon as the plain sum passes `limit`.
 * `tasks`: as above. */
uint64_t children_memory(uint64_t limit, unsigned *tasks);

/* Kill and reap everything below this process. `uid`: whose processes they are, if that user has no
 * others, else 0. Returns how many were alive. */
unsigned children_sweep(uid_t uid);

#endif
