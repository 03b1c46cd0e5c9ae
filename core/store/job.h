/* job: a request on its way through a backend. Room: store (its own use).
 * Threads: made and posted from [any], run and ended by the store thread that took it.
 *
 * A request's own `mail` stays untouched until its done(): it is the caller's, for handing the
 * result over. So each request travels in a small envelope of its own. */
#ifndef PADDOCK_STORE_JOB_H
#define PADDOCK_STORE_JOB_H

#include "store/store.h"

#include <stdbool.h>

enum job_kind {
    JOB_COMMIT,
    JOB_JOURNAL,
    JOB_APPEND,
    JOB_READ,
    JOB_LEASE,
    JOB_KEY,
    JOB_QUEUE,
    JOB_SHIP,
    JOB_DELTAS,
};

struct job {
    struct mail mail; /* first */
    enum job_kind kind;
    struct err *why; /* set while it runs in a transaction: this one has failed, alone */
    union {
        struct store_commit *commit;
        struct journal_read *journal;
        struct series_append *append;
        struct series_read *read;
        struct lease_request *lease;
        struct key_request *key;
        struct queue_request *queue;
        struct delta_ship *ship;
        struct delta_read *deltas;
        void *request;
    };
};

static inline struct job *job_of(struct mail *m)
{
    return (struct job *)(void *)m;
}

struct job *job_new(enum job_kind kind, void *request) __attribute__((returns_nonnull));
/* Post it; a request that cannot be taken (bound reached, closing) is answered at once, on this
 * thread. */
void job_post(struct mailbox *m, enum job_kind kind, void *request);
/* Tell the request how it went (`why` NULL: well), free the envelope, call done. */
void job_end(struct job *j, const struct err *why);
/* Remember that it failed although its transaction may go on, or forget that. */
void job_fault(struct job *j, const struct err *why);
/* Does it change anything on disk, and is it told so if it cannot? Deltas are sent until they
 * arrive. */
bool job_writes(const struct job *j);
/* Is it told as done only when as many replicas have it as the store is told to wait for? */
bool job_waits(const struct job *j);

#endif
