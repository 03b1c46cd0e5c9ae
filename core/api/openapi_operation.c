#include "api/openapi.h"

#include "api/schemas.h"
#include "base/bytes.h"
#include "base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_BYTES (1 << 20)
#define OWN_PATHS      "/api/models/enterprise/"

static json_t *reference(const char *section, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", section, name));
}

/* --- parameters --- */

/* Headers that many operations take, by the name of their component. */
static const struct header {
    const char *component, *name, *doc;
    const char *schema; /* JSON text */
} HEADERS[] = {
    {"Namespace", "Paddock-Namespace",
     "The namespace; `default` unless given. `*` spans all where lists are read.",
     "{\"type\":\"string\",\"maxLength\":128}"},
    {"RequestId", "X-Request-Id", "Returned and logged; made up unless given.",
     "{\"type\":\"string\",\"maxLength\":128}"},
    {"IfMatch", "If-Match", "Refuse (412) unless the object still has this entity tag.",
     "{\"type\":\"string\"}"},
    {"IfNoneMatch", "If-None-Match",
     "Of a GET: answer 304 if the object still has this entity tag. Of a write: refuse (412) if it "
     "has, or with `*` if it exists.",
     "{\"type\":\"string\"}"},
    {"Reason", "Paddock-Reason", "Why: kept in the journal. A `reason` in the body wins.",
     "{\"type\":\"string\",\"maxLength\":1024}"},
    {"IdempotencyKey", "Idempotency-Key",
     "Makes a retry harmless: the first answer is given again.",
     "{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}"},
    {"LastEventId", "Last-Event-ID", "Go on after this seq.",
     "{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}"},
};
#define HEADER_COUNT (sizeof HEADERS / sizeof *HEADERS)

json_t *openapi_header_parameters(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < HEADER_COUNT; i++) {
        json_error_t why;
        json_t *schema = json_loads(HEADERS[i].schema, 0, &why);
        json_object_set_new(all, HEADERS[i].component,
                            json_pack("{s:s, s:s, s:s, s:o}", "name", HEADERS[i].name, "in",
                                      "header", "description", HEADERS[i].doc, "schema", schema));
    }
    return all;
}

static bool is_read(const struct route *r)
{
    return r->method == METHOD_GET;
}

static bool is_own(const struct route *r)
{
    return strncmp(r->path, OWN_PATHS, sizeof OWN_PATHS - 1) == 0;
}

static void add_headers(json_t *list, const struct route *r)
{
    bool entity = strstr(r->responses, ";304") != NULL;
    bool records = r->flags & ROUTE_STREAM_BODY;
    const struct {
        const char *component;
        bool wanted;
    } wants[] = {
        {"Namespace", is_own(r)},
        {"IfMatch", !is_read(r) && strstr(r->responses, "REVISION_MISMATCH")},
        {"IfNoneMatch",
         entity || (r->method == METHOD_PUT && strstr(r->responses, "REVISION_MISMATCH"))},
        {"Reason", !is_read(r) && !records && !(r->flags & ROUTE_UNKEYED)},
        {"IdempotencyKey", (r->flags & ROUTE_KEYED) != 0},
        {"LastEventId", (r->flags & ROUTE_OPEN_ENDED) != 0},
        {"RequestId", true},
    };
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
        if (wants[i].wanted)
            json_array_append_new(list, reference("parameters", wants[i].component));
}

static void add_path_parameters(json_t *list, const char *path)
{
    for (const char *p = strchr(path, '{'); p; p = strchr(p, '{')) {
        size_t len = strcspn(++p, "+}");
        json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", p, len, "in",
                                              "path", "required", 1, "schema", "type", "string"));
    }
}

/* The schema of one field, by way of a table that has no other. */
static json_t *field_schema(const struct field *f)
{
    struct field table[2] = {*f, {.name = NULL}};
    struct bytes b = BYTES_INIT(TEXT_MAX_BYTES);
    fields_schema(table, SCHEMA_CREATE, &b);
    json_t *whole = json_read(b.data, b.len, NULL);
    json_t *one = json_incref(json_object_get(json_object_get(whole, "properties"), f->name));
    json_decref(whole);
    bytes_release(&b);
    return one;
}

static void add_query_parameters(json_t *list, const struct route *r)
{
    for (const struct field *f = r->query; f && f->name; f++) {
        json_t *schema = field_schema(f);
        json_object_del(schema, "description");
        json_array_append_new(list, json_pack("{s:s, s:s, s:s*, s:b, s:o}", "name", f->name, "in",
                                              "query", "description", f->doc, "required",
                                              (f->flags & FIELD_REQUIRED) != 0, "schema", schema));
    }
    if (!(r->flags & ROUTE_LABEL_FILTER))
        return;
    /* label.<key>=<value>: an object of any members, each of which is a parameter of that name. */
    json_array_append_new(
        list,
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:b, s:{s:s, s:{s:s}, s:{s:s}}}", "name", "labels",
                  "in", "query", "description",
                  "label.<key>=<value>: only what has this label; may be repeated.", "required", 0,
                  "style", "form", "explode", 1, "schema", "type", "object", "additionalProperties",
                  "type", "string", "propertyNames", "pattern", "^label\\..+$"));
}

/* --- bodies --- */

static json_t *body_schema(const struct route *r)
{
    if (r->flags & ROUTE_STREAM_BODY) {
        const char *record =
            strstr(r->path, "{model_id}") ? "InferenceRecord" : "NamedInferenceRecord";
        return json_pack("{s:[o, {s:s, s:o, s:i}]}", "oneOf", reference("schemas", record), "type",
                         "array", "items", reference("schemas", record), "maxItems", 10000);
    }
    /* without a table of its own: OFREP's, which lets other members pass */
    return r->body ? openapi_body(r) : reference("schemas", "OfrepRequest");
}

static void add_body(json_t *operation, const struct route *r)
{
    if (is_read(r) || r->flags & ROUTE_NO_BODY)
        return;
    json_t *content = json_object();
    if (r->consumes)
        json_object_set_new(content, r->consumes,
                            json_pack("{s:{s:s}}", "schema", "type", "string"));
    else
        json_object_set_new(content, "application/json",
                            json_pack("{s:o}", "schema", body_schema(r)));
    if (r->method == METHOD_PATCH)
        json_object_set_new(content, "application/merge-patch+json",
                            json_pack("{s:o}", "schema", body_schema(r)));
    if (r->flags & ROUTE_NDJSON)
        json_object_set_new(content, "application/x-ndjson",
                            json_pack("{s:{s:s}}", "schema", "type", "string"));
    json_object_set_new(
        operation, "requestBody",
        json_pack("{s:b, s:o}", "required", !(r->flags & ROUTE_BODY_OPTIONAL), "content", content));
}

/* --- responses --- */

/* Codes that an operation may answer with whatever it does, by what it takes. */
static void add_common(json_t *codes, const struct route *r)
{
    bool body = !is_read(r) && !(r->flags & ROUTE_NO_BODY);
    json_t *bad = json_pack("[s, s]", "MALFORMED_REQUEST", "UNKNOWN_PARAMETER");
    if (r->query || is_own(r))
        json_array_append_new(bad, json_string("VALIDATION_FAILED"));
    if (body) {
        if (r->body || r->flags & ROUTE_STREAM_BODY) {
            json_array_append_new(bad, json_string("MALFORMED_JSON"));
            json_array_append_new(bad, json_string("UNKNOWN_FIELD"));
        }
        json_object_set_new(codes, "413", json_pack("[s]", "BODY_TOO_LARGE"));
        json_object_set_new(codes, "415", json_pack("[s]", "UNSUPPORTED_MEDIA_TYPE"));
    }
    json_object_set_new(codes, "400", bad);
    if (!(r->flags & ROUTE_PUBLIC)) {
        json_object_set_new(codes, "401", json_pack("[s]", "UNAUTHENTICATED"));
        json_object_set_new(codes, "403", json_pack("[s]", "FORBIDDEN"));
    }
    json_object_set_new(codes, "429", json_pack("[s]", "RATE_LIMITED"));
    if (r->flags & ROUTE_KEYED) {
        json_object_set_new(codes, "409", json_pack("[s]", "IDEMPOTENCY_KEY_IN_USE"));
        json_object_set_new(codes, "422", json_pack("[s]", "IDEMPOTENCY_KEY_REUSED"));
    }
    if (!is_read(r))
        json_object_set_new(codes, "503", json_pack("[s, s]", "STORE_UNAVAILABLE", "OVERLOADED"));
    if (r->flags & ROUTE_KEYED)
        json_array_append_new(json_object_get(codes, "503"), json_string("IDEMPOTENCY_KEYS_FULL"));
    if (is_read(r) && is_own(r))
        json_object_set_new(codes, "503", json_pack("[s, s]", "NODE_BEHIND", "OVERLOADED"));
}

static void add_code(json_t *codes, const char *status, const char *code)
{
    json_t *list = json_object_get(codes, status), *have;
    size_t i;
    if (!list)
        json_object_set_new(codes, status, list = json_array());
    json_array_foreach(list, i, have)
        if (strcmp(json_string_value(have), code) == 0)
            return;
    json_array_append_new(list, json_string(code));
}

static const char *reason_of(const char *status)
{
    static const char *const REASONS[][2] = {{"200", "OK"},
                                             {"201", "Created"},
                                             {"202", "Accepted: on disk"},
                                             {"204", "Done"},
                                             {"304", "Not modified"}};
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        if (strcmp(REASONS[i][0], status) == 0)
            return REASONS[i][1];
    return "Problem";
}

static void add_success_headers(json_t *response, const struct route *r, const char *status)
{
    json_t *headers = json_object();
    bool changes =
        !is_read(r) && !(r->flags & (ROUTE_STREAM_BODY | ROUTE_UNKEYED | ROUTE_NO_ENTITY));
    if (changes) {
        json_object_set_new(headers, "Paddock-Seq", reference("headers", "Seq"));
        json_object_set_new(headers, "Paddock-Epoch", reference("headers", "Epoch"));
    }
    if (strcmp(status, "201") == 0)
        json_object_set_new(headers, "Location", reference("headers", "Location"));
    if (json_object_size(headers))
        json_object_set(response, "headers", headers);
    json_decref(headers);
}

/* Is what this schema describes answered with an ETag? What has a revision is, but no page of
 * others; an alias has its name's. */
static bool is_tagged(const char *schema)
{
    const struct schema *s = SCHEMAS;
    while (s->name && strcmp(s->name, schema) != 0)
        s++;
    if (!s->name || !s->table || (s->shape && strstr(s->shape, "items:[")))
        return strcmp(schema, "Alias") == 0;
    const struct field *f = s->table;
    while (f->name && strcmp(f->name, "revision") != 0)
        f++;
    return f->name != NULL;
}

static void add_tag(json_t *response)
{
    json_t *headers = json_object_get(response, "headers");
    if (!headers)
        json_object_set_new(response, "headers", headers = json_object());
    json_object_set_new(headers, "ETag", reference("headers", "ETag"));
}

/* One name after a status: a media type, a code or a schema. */
static void add_token(json_t *responses, json_t *codes, const char *status, const char *token)
{
    if (isupper((unsigned char)token[0]) && isupper((unsigned char)token[1])) {
        add_code(codes, status, token);
        return;
    }
    json_t *response = json_object_get(responses, status);
    if (!response) /* a failure with a shape of its own */
        json_object_set_new(responses, status,
                            response = json_pack("{s:s}", "description", reason_of(status)));
    json_t *content = json_object_get(response, "content");
    if (!content)
        json_object_set_new(response, "content", content = json_object());
    bool media = strchr(token, '/') != NULL;
    if (is_tagged(token))
        add_tag(response);
    json_t *schema = media ? json_pack("{s:s}", "type", "string") : reference("schemas", token);
    json_object_set_new(content, media ? token : "application/json",
                        json_pack("{s:o}", "schema", schema));
}

/* "200 Model,text/html" */
static void add_outcome(json_t *responses, json_t *codes, const struct route *r, const char *text,
                        size_t len)
{
    char copy[256], status[4] = "";
    snprintf(copy, sizeof copy, "%.*s", (int)len, text);
    memcpy(status, copy, 3);
    if (status[0] < '4' && !json_object_get(responses, status)) {
        json_t *response = json_pack("{s:s}", "description", reason_of(status));
        if (status[0] == '2')
            add_success_headers(response, r, status);
        else
            add_tag(response);
        json_object_set_new(responses, status, response);
    }
    for (char *p = len > 4 ? copy + 4 : copy + len; *p;) {
        size_t n = strcspn(p, ",");
        bool more = p[n] == ',';
        p[n] = '\0';
        add_token(responses, codes, status, p);
        p += n + more;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A response per status, in order, each with the codes it may carry. */
static void add_problems(json_t *responses, json_t *codes, const struct route *r)
{
    const char *statuses[32], *status;
    size_t n = 0;
    json_t *list;
    json_object_foreach(codes, status, list)
        if (n < sizeof statuses / sizeof *statuses)
            statuses[n++] = status;
    qsort(statuses, n, sizeof *statuses, by_text);
    for (size_t i = 0; i < n; i++) {
        if (r->failure) {
            add_token(responses, codes, statuses[i], r->failure->schema);
            continue;
        }
        json_t *response = json_object_get(responses, statuses[i]), *content;
        if (!response)
            json_object_set_new(responses, statuses[i],
                                response = json_pack("{s:s}", "description", "Problem"));
        if (!(content = json_object_get(response, "content")))
            json_object_set_new(response, "content", content = json_object());
        json_object_set_new(content, "application/problem+json",
                            json_pack("{s:o}", "schema", reference("schemas", "Problem")));
        json_object_set(response, "x-paddock-codes", json_object_get(codes, statuses[i]));
    }
    if (r->failure)
        add_token(responses, codes, "default", r->failure->schema);
    else
        json_object_set_new(responses, "default", reference("responses", "Problem"));
}

static json_t *responses_of(const struct route *r)
{
    json_t *responses = json_object(), *codes = json_object();
    add_common(codes, r);
    for (const char *p = r->responses; *p; p += *p == ';') {
        size_t len = strcspn(p, ";");
        add_outcome(responses, codes, r, p, len);
        p += len;
    }
    add_problems(responses, codes, r);
    json_decref(codes);
    return responses;
}

json_t *openapi_operation(const struct route *r)
{
    json_t *parameters = json_array();
    add_path_parameters(parameters, r->path);
    add_query_parameters(parameters, r);
    add_headers(parameters, r);
    json_t *operation =
        json_pack("{s:s, s:s, s:[s], s:o?, s:o}", "operationId", r->operation, "summary", r->doc,
                  "tags", r->tag, "x-paddock-action",
                  r->action ? json_string(r->action) : json_null(), "parameters", parameters);
    if (r->flags & ROUTE_PUBLIC)
        json_object_set_new(operation, "security", json_array());
    add_body(operation, r);
    json_object_set_new(operation, "responses", responses_of(r));
    return operation;
}
