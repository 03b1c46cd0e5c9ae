#include "api/openapi.h"

#include "api/api.h"
#include "api/handlers.h"
#include "api/schemas.h"
#include "api/work.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define CONTRACT_VERSION "0.1.0" /* of this document: grows when an operation changes */

/* --- components --- */

static json_t *list_schema(const char *of)
{
    char shape[128];
    snprintf(shape, sizeof shape, "{items:[@%s] total:i next_cursor:s?}", of);
    return openapi_shape(shape);
}

static json_t *schema_of(const struct schema *s)
{
    if (s->list_of)
        return list_schema(s->list_of);
    json_t *table = s->table ? openapi_table(s->table, SCHEMA_ANSWER) : NULL;
    json_t *shape = s->shape ? openapi_shape(s->shape) : NULL;
    json_t *schema = table && shape ? json_pack("{s:[o, o]}", "allOf", table, shape)
                     : table        ? table
                                    : shape;
    if (s->doc)
        json_object_set_new(schema, "description", json_string(s->doc));
    return schema;
}

static json_t *schemas(void)
{
    json_t *all = json_object();
    for (const struct schema *s = SCHEMAS; s->name; s++)
        json_object_set_new(all, s->name, schema_of(s));
    for (const struct route *r = ROUTES; r->path; r++)
        if (r->body)
            openapi_add_body(all, r);
    return all;
}

static json_t *header(const char *doc, const char *type)
{
    return json_pack("{s:s, s:{s:s}}", "description", doc, "schema", "type", type);
}

static json_t *components(void)
{
    json_t *headers = json_pack(
        "{s:o, s:o, s:o, s:o}", "ETag", header("The revision, in quotes.", "string"), "Location",
        header("Where the new object is.", "string"), "Seq",
        header("Sequence of the change in the journal; for ?min_seq= on any node.", "integer"),
        "Epoch", header("Grows when acknowledged changes were lost.", "integer"));
    json_t *problem = json_pack(
        "{s:s, s:{s:{s:{s:s}}}}", "description", "Any other problem (RFC 9457).", "content",
        "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
    return json_pack("{s:o, s:o, s:o, s:{s:o}, s:{s:{s:s, s:s, s:s}}}", "schemas", schemas(),
                     "parameters", openapi_header_parameters(), "headers", headers, "responses",
                     "Problem", problem, "securitySchemes", "token", "type", "http", "scheme",
                     "bearer", "description",
                     "A token of this server. While it has none, clients on its own machine need "
                     "none. x-paddock-action names the action that a grant must give; of several "
                     "parted by |, the body decides.");
}

/* --- the document --- */

/* OpenAPI knows no {rest+}. */
static const char *plain_path(const char *path, char *out, size_t size)
{
    size_t n = 0;
    for (; *path && n + 1 < size; path++)
        if (strncmp(path, "+}", 2) != 0)
            out[n++] = *path;
    out[n] = '\0';
    return out;
}

static json_t *paths(void)
{
    char plain[256];
    static const char *const NAMES[] = {
        [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
        [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete",
    };
    json_t *all = json_object();
    for (const struct route *r = ROUTES; r->path; r++) {
        if (r->flags & ROUTE_HIDDEN)
            continue;
        const char *name = plain_path(r->path, plain, sizeof plain);
        json_t *path = json_object_get(all, name);
        if (!path)
            json_object_set_new(all, name, path = json_object());
        json_object_set_new(path, NAMES[r->method], openapi_operation(r));
    }
    return all;
}

static json_t *tags(void)
{
    json_t *all = json_array();
    for (const struct tag_doc *t = TAG_DOCS; t->tag; t++)
        json_array_append_new(all, json_pack("{s:s, s:s}", "name", t->tag, "description", t->doc));
    return all;
}

char *openapi_render(size_t *len)
{
    json_t *document = json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}], s:o, s:o, s:o}", "openapi", "3.1.0",
        "info", "title", "Paddock", "version", CONTRACT_VERSION, "description",
        "Register models, measure them in production, and decide which may serve whom. The "
        "conventions that all "
        "operations share are in docs/api.md.",
        "servers", "url", "/", "security", "token", "tags", tags(), "paths", paths(), "components",
        components());
    char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (!text)
        abort(); /* constants that do not fit together; the unit test renders it */
    *len = strlen(text);
    text = realloc(text, *len + 2);
    if (!text)
        abort();
    text[(*len)++] = '\n';
    text[*len] = '\0';
    return text;
}

static bool openapi_work(struct work *w)
{
    size_t len;
    char *text = openapi_render(&len);
    bytes_add(&w->out, text, len);
    free(text);
    return true;
}

void openapi_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ANY_NAMESPACE, &c))
        work_answer(&c, true, openapi_work, NULL);
}
