/* denial: what somebody was refused, gathered. Room: registry. Threads: immutable, [any].
 *
 * One object for each who was refused something in a namespace: how often, since when, and the
 * newest cases. It changes at most about once a minute for each, so that a client which is refused
 * a thousand times a second makes one entry of the journal a minute (`auth.denied`) and no more. */
#ifndef PADDOCK_REGISTRY_DENIAL_H
#define PADDOCK_REGISTRY_DENIAL_H

#include "registry/documents.h"

#define DENIALS_MAX  4096 /* objects; past it all further ones are `others` of `default` */
#define DENIAL_CASES 16   /* newest cases of one entry */

struct denial {
    struct document_head head; /* id is the actor's */
    const char *actor_kind;    /* "token" | "anonymous" */
    int64_t count;             /* ever */
    int64_t last_at;           /* ms */
    const char *cases; /* JSON array of {"at","operation","status","peer","request_id","missing"} */
};

extern const struct field DENIAL_FIELDS[];

/* args of denial_add(): `count` further refusals of the command's actor; `cases` as above. */
struct denial_note {
    int64_t count, last_at;
    const char *cases;
};
bool denial_add(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
