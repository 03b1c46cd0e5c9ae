/* nursery: a first stage that is kept, and does one test after the other. Room: worker.
 * Threads: its only one. See extend/nursery.h, the side that asks. */
#ifndef PADDOCK_WORKER_NURSERY_H
#define PADDOCK_WORKER_NURSERY_H

#include <stdbool.h>

/* Serve descriptor 0 until it ends, `http`: with what runtimes over HTTP need loaded. Returns the
 * exit status. */
int nursery_serve(bool http);

#endif
