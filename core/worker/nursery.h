/* nursery: a worker that forks first stages when it is asked. Room: worker.
 * Threads: its only one. See extend/nursery.h, the side that asks. */
#ifndef PADDOCK_WORKER_NURSERY_H
#define PADDOCK_WORKER_NURSERY_H

/* Serve descriptor 0 until it ends. Returns the exit status; in what is forked, does not. */
int nursery_serve(void);

#endif
