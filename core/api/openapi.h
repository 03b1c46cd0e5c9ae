/* openapi: the OpenAPI 3.1 document, made of ROUTES, the field tables and schemas.c. Room: api.
 * Threads: pure, [any]. */
#ifndef PADDOCK_API_OPENAPI_H
#define PADDOCK_API_OPENAPI_H

#include "http/route.h"

#include <jansson.h>
#include <stddef.h>

/* The whole document, indented, ending in a line feed: what /openapi.json serves and
 * docs/openapi.json holds. free() it. */
char *openapi_render(size_t *len) __attribute__((returns_nonnull));

/* One operation object (openapi_operation.c). */
json_t *openapi_operation(const struct route *r);
/* "{model_id}" and friends: the parameters of a path that several operations share. */
json_t *openapi_header_parameters(void);

#endif
