/* nursery: a worker that forks first stages when it is asked. Room: worker.
 * Threads: its only one. See extend/nursery.h, the side that asks. */
#ifndef PADDOCK_WORKER_NURSERY_H
#define PADDOCK_WORKER_NURSERY_H

#include <stdbool.h>

/* Serve descriptor 0 until it ends, `http`: with what runtimes over HTTP need loaded. Returns the
 * exit status; in what is forked, does not. */
int nursery_serve(bool http);

#endif
