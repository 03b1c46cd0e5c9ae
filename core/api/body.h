/* body: the body of a request that is no command for the engine. Room: api. Threads: [loop]. */
#ifndef PADDOCK_API_BODY_H
#define PADDOCK_API_BODY_H

#include "api/call.h"

#include <jansson.h>

/* The body, a JSON object that the caller releases; NULL and `e`: it is none. */
json_t *call_object(struct call *c, struct err *e) MUST_CHECK;
/* Decode the body, a JSON object, into `out` (whose defaults the caller has set) by its table.
 * Texts go to the request's arena. False and `e`. */
bool call_body(struct call *c, const struct field *table, void *out, struct err *e) MUST_CHECK;

#endif
