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

/* The pids of all processes below `pid`, at most CHILDREN_MAX. */
size_t children_below(pid_t pid, pid_t *out);

/* Memory of `pid` and all below it, in bytes. Shared pages count once as soon as the plain sum
 * passes `limit`. */
uint64_t children_memory(pid_t pid, uint64_t limit);

/* Kill and reap everything below this process. `uid`: whose processes they are, if that user has no
 * others, else 0. Returns how many were alive. */
unsigned children_sweep(uid_t uid);

#endif
