/* openapi: the OpenAPI 3.1 document, made of ROUTES, the field tables and schemas.c. Room: api.
 * Threads: pure, [any]. */
#ifndef PADDOCK_API_OPENAPI_H
#define PADDOCK_API_OPENAPI_H

#include "base/field.h"
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

/* Schemas (openapi_schema.c): of a shape; of a table, with what its rows cannot say. */
json_t *openapi_shape(const char *shape);
json_t *openapi_table(const struct field *table, enum schema_form form);
/* A reference to the schema of a route's body, and that schema itself among the components. */
json_t *openapi_body(const struct route *r);
void openapi_add_body(json_t *schemas, const struct route *r);

#endif
