#include "store/job.h"

#include "base/mem.h"

#include <stdlib.h>

struct job *job_new(enum job_kind kind, void *request)
{
    struct job *j = mem_alloc(sizeof *j);
    *j = (struct job){.kind = kind, .request = request};
    return j;
}

void job_post(struct mailbox *m, enum job_kind kind, void *request)
{
    struct job *j = job_new(kind, request);
    if (mailbox_post(m, &j->mail))
        return;
    struct err why = {0};
    if (mailbox_closed(m))
        fail(&why, &ERR_IO, "the store is closed");
    else
        fail(&why, &ERR_BUSY, "too many requests wait for the store");
    job_end(j, &why);
}

bool job_writes(const struct job *j)
{
    return !(j->kind == JOB_JOURNAL || j->kind == JOB_READ || j->kind == JOB_SHIP ||
             j->kind == JOB_DELTAS || (j->kind == JOB_KEY && j->key->op == KEY_GET));
}

bool job_waits(const struct job *j)
{
    return job_writes(j) || (j->kind == JOB_SHIP && j->ship->n > 0);
}

void job_fault(struct job *j, const struct err *why)
{
    free(j->why);
    j->why = NULL;
    if (why) {
        j->why = mem_alloc(sizeof *j->why);
        *j->why = *why;
    }
}

/* Every request ends in the same three fields, in structs that share no type. After done() the
 * request may be gone. */
#define END(request_)               \
    do {                            \
        (request_)->ok = !why;      \
        if (why)                    \
            (request_)->err = *why; \
        (request_)->done(request_); \
    } while (0)

void job_end(struct job *j, const struct err *why)
{
    struct job was = *j;
    free(j);
    switch (was.kind) {
    case JOB_COMMIT: END(was.commit); break;
    case JOB_JOURNAL: END(was.journal); break;
    case JOB_APPEND: END(was.append); break;
    case JOB_READ: END(was.read); break;
    case JOB_LEASE: END(was.lease); break;
    case JOB_KEY: END(was.key); break;
    case JOB_QUEUE: END(was.queue); break;
    case JOB_SHIP: END(was.ship); break;
    case JOB_DELTAS: END(was.deltas); break;
    }
    free(was.why);
}
