/* submit: a request as a command for the engine, and the engine's answer as a reply. Room: api.
 * Threads: [loop]; the answer is handed over by the engine's thread. */
#ifndef PADDOCK_API_SUBMIT_H
#define PADDOCK_API_SUBMIT_H

#include "api/call.h"
#include "registry/command.h"

struct wish {
    bool (*decide)(struct command *c, struct head *h, struct changes *out, struct err *e);
    const char *id;        /* of what it is about, or NULL; in the request's arena */
    const char *id2;       /* alias, or NULL */
    enum entity_kind kind; /* of what If-Match speaks of: a model by id or reference, or a name */
    const void *args;      /* for the command, which only reads it; lives as long as the request */
};

/* Check namespace, key, preconditions, reason and body, hand the command over, and reply when it is
 * done. */
void submit(struct request *rq, const struct wish *wish);

#endif
