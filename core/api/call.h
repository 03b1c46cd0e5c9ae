/* call: what every handler needs before it can do its own work. Room: api. Threads: [loop]. */
#ifndef PADDOCK_API_CALL_H
#define PADDOCK_API_CALL_H

#include "api/access.h"
#include "api/api.h"
#include "api/parameters.h"
#include "http/request.h"
#include "registry/query.h"

#include <stdbool.h>
#include <stdint.h>

enum namespaces {
    ONE_NAMESPACE, /* `*` is refused */
    ANY_NAMESPACE, /* `*` spans all */
};

struct call {
    struct api *api;
    struct request *rq;
    struct arena *arena;         /* the request's */
    struct view_reader *reader;  /* this loop's */
    const struct access *access; /* who asks, and what he may */
    const char *ns;              /* access->ns */
    struct parameters q;
};

/* Fill `c` from a request: its namespace and its parameters. False: the request was answered
 * already, or is put off until `min_seq` is here and its handler will be called again. */
bool call_begin(struct request *rq, enum namespaces allowed, struct call *c) MUST_CHECK;

/* Fail with a fault that points at a header or a parameter. Returns false. */
bool call_fault(struct arena *a, const char *where, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same, answered at once. */
void call_refuse(struct call *c, const char *where, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Answer a GET with an entity that `reference` led to: its id, or an alias, which may lead to
 * another one when it is asked again. */
void call_reply_entity(const struct call *c, const char *reference, const struct entity *e);

/* The header Paddock-Reason, checked; NULL if absent. */
bool call_reason(const struct request *rq, const char **reason, struct err *e) MUST_CHECK;
/* The filters `label.<key>=<value>` of a list. */
bool call_labels(struct call *c, const struct label_filter **labels, size_t *n, struct err *e)
    MUST_CHECK;
/* Does the Accept header name this media type (wildcards do not count)? */
bool call_accepts(const struct request *rq, const char *type);
/* Sequence of the loop's current view. */
uint64_t call_seq(const struct call *c);
/* Percent-encode one segment of a path, into the arena. */
const char *call_segment(struct arena *a, const char *text);

#endif
