/* route: one row of the API table, and the table's lookup. Room: http. Threads: immutable, [any].
 *
 * The table feeds dispatch, 404/405/415, query and body checks, authorization, OpenAPI,
 * /problems and a test. */
#ifndef PADDOCK_HTTP_ROUTE_H
#define PADDOCK_HTTP_ROUTE_H

#include "base/field.h"

#include <stdbool.h>
#include <stddef.h>

enum http_method {
    METHOD_GET,
    METHOD_HEAD, /* never in a table: served by the GET row */
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_COUNT
};
const char *method_name(enum http_method m);

enum route_flag {
    ROUTE_PUBLIC = 1 << 0,        /* needs no token */
    ROUTE_KEYED = 1 << 1,         /* Idempotency-Key is honoured (a POST that changes something) */
    ROUTE_UNKEYED = 1 << 2,       /* Idempotency-Key is refused with 400 */
    ROUTE_NO_BODY = 1 << 3,       /* a request body is refused */
    ROUTE_BODY_OPTIONAL = 1 << 4, /* an empty body is {} */
    ROUTE_NDJSON = 1 << 5,        /* also application/x-ndjson */
    ROUTE_STREAM_BODY =
        1 << 6, /* handler runs when the headers are in and reads the body as it comes */
    ROUTE_ANY_PARAMETER = 1 << 7, /* unknown query parameters are the handler's business */
    ROUTE_LABEL_FILTER = 1 << 8,  /* accepts label.<key>=<value> */
    ROUTE_OPEN_ENDED = 1 << 9,    /* the reply has no natural end (server-sent events) */
    ROUTE_HIDDEN = 1 << 10,       /* not in OpenAPI */
    ROUTE_NO_ENTITY = 1 << 12,    /* what it changes is no entity: the reply has no Paddock-Seq */
    ROUTE_SERVER = 1 << 11,       /* about the server as a whole, not about a namespace */
};

struct request;
struct bytes;
struct err;

/* How a protocol that is not ours wants its failures: JSON, with the status of `e`. */
struct failure_shape {
    const char *schema; /* its name in OpenAPI */
    const char *below;  /* paths that begin so are the protocol's, those that no row has too */
    /* [loop] Append the body. Path parameters may not have been read yet: they are "" then. */
    void (*put)(struct bytes *b, const struct request *rq, const struct err *e);
};

struct route {
    enum http_method method;
    const char *path;                   /* "/api/models/enterprise/registry/{model_id}" */
    const char *operation;              /* operationId, unique: "registry_get" */
    void (*handle)(struct request *rq); /* [loop] must reply, defer or open a stream */
    const struct field *body;           /* table of the JSON object body, NULL: none or free */
    const struct field *query; /* table of query parameters (offsets unused), NULL: none allowed */
    const char *action;        /* the grant it needs; NULL only with ROUTE_PUBLIC */
    size_t body_max;           /* bytes; 0: the server's default (1 MiB) */
    unsigned flags;
    const char *tag; /* group in the API reference: "Registry" */
    const char *doc; /* one line */
    const char
        *responses; /* "200 Model;304;404 MODEL_NOT_FOUND": status, then a schema name or codes */
    const char *consumes;                /* media type of the body; NULL: application/json */
    const struct failure_shape *failure; /* of every failure on this path; NULL: a problem */
    const void *data; /* the application's, for handlers that serve several rows */
};

struct router;

#define ROUTE_PARAMS_MAX 6

struct route_match {
    const struct route *route; /* NULL: see `allowed` */
    unsigned allowed;          /* bit per http_method that this path has; 0: unknown path */
    struct {
        const char *name; /* of the template */
        size_t name_len;
        const char *value; /* still percent-encoded slice of the path */
        size_t len;
    } params[ROUTE_PARAMS_MAX];
    size_t n_params;
};

/* Build from a table that ends with a row without a path. Templates that clash, repeat an
 * operation, or lack an action without being public are a bug: fails with a sentence. The table
 * must outlive the router. */
struct router *router_new(const struct route *table, struct err *e) MUST_CHECK;
void router_free(struct router *r);
/* Look up a raw path (no query). A `{param}` matches one non-empty segment; `{param+}` at the end
 * of a template matches the rest, slashes included. Literal segments win over parameters. */
void router_find(const struct router *r, enum http_method m, const char *path, size_t len,
                 struct route_match *out);
const struct route *router_table(const struct router *r, size_t *n);

/* Percent-decode once into `out` (at least `len` + 1 bytes). Returns the length, or -1 if an escape
 * is broken, gives NUL, or the result is not UTF-8. '+' stays '+' unless `form`. */
long percent_decode(const char *text, size_t len, bool form, char *out);
/* Are all escapes whole, and none of them NUL? (UTF-8 is looked at when decoding.) */
bool percent_good(const char *text, size_t len);

#endif
