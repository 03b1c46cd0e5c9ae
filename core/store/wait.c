#include "store/wait.h"

#include "base/latch.h"

/* The same for each kind of request, which have these four members in common. */
#define WAIT_FOR(op, type)                                                       \
    static void op##_answered(struct type *request)                              \
    {                                                                            \
        latch_open(request->owner);                                              \
    }                                                                            \
    bool store_##op##_wait(struct store *s, struct type *request, struct err *e) \
    {                                                                            \
        struct latch answered;                                                   \
        latch_init(&answered);                                                   \
        request->done = op##_answered;                                           \
        request->owner = &answered;                                              \
        s->ops->op(s, request);                                                  \
        latch_wait(&answered);                                                   \
        if (!request->ok && e)                                                   \
            *e = request->err;                                                   \
        return request->ok;                                                      \
    }

WAIT_FOR(commit, store_commit)
WAIT_FOR(journal, journal_read)
WAIT_FOR(append, series_append)
WAIT_FOR(read, series_read)
WAIT_FOR(key, key_request)
WAIT_FOR(queue, queue_request)
WAIT_FOR(ship, delta_ship)
WAIT_FOR(deltas, delta_read)
