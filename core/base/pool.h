/* pool: a few threads that run jobs from a bounded queue. Room: base. Threads: submit from [any].
 * The server's two readers are one pool: audit, history, searches, /metrics text. */
#ifndef PADDOCK_BASE_POOL_H
#define PADDOCK_BASE_POOL_H

#include "base/err.h"
#include "base/mailbox.h"

#include <stdbool.h>
#include <stddef.h>

struct pool;

/* Start `threads` threads named `name`; at most `limit` jobs wait. */
struct pool *pool_start(const char *name, unsigned threads, size_t limit, struct err *e) MUST_CHECK;
/* Queue `job`, whose run() will be called on one of the threads and then owns it.
 * False when the queue is full or stopping. */
bool pool_submit(struct pool *p, struct mail *job) MUST_CHECK;
/* Run what is queued, then end the threads; from now on submit refuses. NULL is allowed. */
void pool_close(struct pool *p);
/* Close it, if that was not done, and free it: when nobody can submit any more. NULL is allowed. */
void pool_stop(struct pool *p);
size_t pool_waiting(const struct pool *p);

#endif
