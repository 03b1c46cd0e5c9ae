#include "api/openapi.h"

#include "api/schemas.h"
#include "api/shape.h"
#include "base/bytes.h"
#include "base/json.h"

#include <string.h>

#define TEXT_MAX_BYTES (1 << 20)

static json_t *taken_json(struct bytes *b)
{
    json_t *value = json_read(b->data, b->len, NULL);
    bytes_release(b);
    return value;
}

json_t *openapi_shape(const char *shape)
{
    struct bytes b = BYTES_INIT(TEXT_MAX_BYTES);
    shape_schema(shape, &b);
    return taken_json(&b);
}

/* --- tables --- */

/* Add "null" to a schema's type. */
static void allow_null(json_t *schema)
{
    json_t *type = json_object_get(schema, "type"), *one;
    size_t i;
    if (json_is_string(type)) {
        json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
        return;
    }
    json_array_foreach(type, i, one)
        if (strcmp(json_string_value(one), "null") == 0)
            return;
    if (type)
        json_array_append_new(type, json_string("null"));
}

/* What a table says of a member stays; what it cannot say comes from the shape. */
static void refine(json_t *member, const struct member_shape *m, enum schema_form form)
{
    json_t *schema = openapi_shape(m->shape), *type = json_object_get(member, "type");
    if (json_is_array(type)) /* may be null */
        allow_null(schema);
    if (form == SCHEMA_PATCH) /* and in a merge patch null takes a pair away */
        allow_null(json_object_get(schema, "additionalProperties"));
    json_object_update(member, schema);
    json_decref(schema);
}

json_t *openapi_table(const struct field *table, enum schema_form form)
{
    struct bytes b = BYTES_INIT(TEXT_MAX_BYTES);
    fields_schema(table, form, &b);
    json_t *schema = taken_json(&b);
    for (const struct member_shape *m = MEMBER_SHAPES; m->table; m++)
        if (m->table == table)
            refine(json_object_get(json_object_get(schema, "properties"), m->member), m, form);
    return schema;
}

/* --- bodies --- */

static enum schema_form form_of(const struct route *r)
{
    return r->method == METHOD_PATCH ? SCHEMA_PATCH : SCHEMA_CREATE;
}

/* "ModelBody", "ModelPatch"; NULL if the body's table has no name. */
static json_t *body_name(const struct route *r)
{
    for (const struct body_name *n = BODY_NAMES; n->table; n++)
        if (n->table == r->body)
            return json_sprintf("%s%s", n->name, form_of(r) == SCHEMA_PATCH ? "Patch" : "Body");
    return NULL;
}

void openapi_add_body(json_t *schemas, const struct route *r)
{
    json_t *name = body_name(r);
    if (name && !json_object_get(schemas, json_string_value(name)))
        json_object_set_new(schemas, json_string_value(name), openapi_table(r->body, form_of(r)));
    json_decref(name);
}

json_t *openapi_body(const struct route *r)
{
    json_t *name = body_name(r);
    if (!name)
        return openapi_table(r->body, form_of(r));
    json_t *reference = json_pack("{s:o}", "$ref",
                                  json_sprintf("#/components/schemas/%s", json_string_value(name)));
    json_decref(name);
    return reference;
}
