#include "http/problem.h"

#include "base/json.h"
#include "http/loop_impl.h"
#include "http/request_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void put_slug(struct bytes *b, const char *code)
{
    for (; *code; code++)
        bytes_char(b, *code == '_'                   ? '-'
                      : *code >= 'A' && *code <= 'Z' ? (char)(*code | 0x20)
                                                     : *code);
}

void problem_put(struct bytes *b, const struct err *e, const char *path, size_t path_len,
                 const char *request_id)
{
    const struct err_kind *kind = e->kind;
    bytes_text(b, "{\"type\":\"/problems/");
    put_slug(b, kind->code);
    bytes_text(b, "\",\"title\":");
    json_put_string(b, kind->title);
    bytes_text(b, ",\"status\":");
    bytes_uint(b, (uint64_t)kind->status);
    bytes_text(b, ",\"code\":\"");
    bytes_text(b, kind->code);
    bytes_text(b, "\",\"detail\":");
    json_put_string(b, e->detail[0] ? e->detail : kind->title);
    if (path) {
        bytes_text(b, ",\"instance\":");
        json_put_stringn(b, path, path_len);
    }
    bytes_text(b, ",\"request_id\":");
    json_put_string(b, request_id);
    if (e->members && e->members[0]) {
        bytes_char(b, ',');
        bytes_text(b, e->members);
    }
    bytes_char(b, '}');
}

static bool has_header(const struct request *rq, const char *name)
{
    const char *lines = rq->headers.data;
    size_t len = strlen(name);
    while (lines && *lines) {
        if (strncasecmp(lines, name, len) == 0 && lines[len] == ':')
            return true;
        lines = strchr(lines, '\n');
        lines += lines != NULL;
    }
    return false;
}

void request_methods(const struct request *rq, char *out, size_t size)
{
    size_t n = 0;
    *out = '\0';
    for (int m = 0; m < METHOD_COUNT && n < size; m++)
        if (rq->allowed & 1U << m || m == METHOD_OPTIONS)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
                                  method_name((enum http_method)m));
}

void request_allow(struct request *rq)
{
    char text[64];
    request_methods(rq, text, sizeof text);
    request_add_header(rq, "Allow", text);
}

static void add_headers(struct request *rq, int status)
{
    if (status == 401 && !has_header(rq, "WWW-Authenticate"))
        request_add_header(rq, "WWW-Authenticate", "Bearer");
    if (status == 405)
        request_allow(rq);
    if ((status == 429 || status == 503) && !has_header(rq, "Retry-After"))
        request_add_header(rq, "Retry-After", "1");
}

/* A failure may come before the route is looked for, or be that there is none: its shape is that of
 * the paths around it all the same. */
static const struct failure_shape *shape_of(const struct request *rq)
{
    const struct head *h = &rq->head;
    size_t n = 0;
    if (rq->route)
        return rq->route->failure;
    const struct route *rows = h->path ? router_table(rq->loop->router, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct failure_shape *shape = rows[i].failure;
        size_t len = shape ? strlen(shape->below) : 0;
        if (shape && h->path_len >= len && memcmp(h->path, shape->below, len) == 0)
            return shape;
    }
    return NULL;
}

static const char *put_failure(struct bytes *b, const struct request *rq, const struct err *e)
{
    const struct failure_shape *shape = shape_of(rq);
    bytes_clear(b);
    if (shape) {
        shape->put(b, rq, e);
        return "application/json";
    }
    problem_put(b, e, rq->head.path, rq->head.path_len, rq->id);
    if (b->full) { /* the members were too many */
        struct err bare = {.kind = e->kind};
        memcpy(bare.detail, e->detail, sizeof bare.detail);
        bytes_clear(b);
        problem_put(b, &bare, NULL, 0, rq->id);
    }
    return "application/problem+json";
}

void request_fail(struct request *rq, const struct err *e)
{
    static const struct err unknown = {.kind = &ERR_INTERNAL,
                                       .detail = "a failure without a reason"};
    if (!e->kind)
        e = &unknown;
    struct bytes *b = &rq->loop->problem;
    const char *type = put_failure(b, rq, e);
    add_headers(rq, e->kind->status);
    request_reply(rq, e->kind->status, type, b->data, b->len);
}

void request_problem(struct request *rq, const struct err_kind *kind, const char *fmt, ...)
{
    struct err e = {.kind = kind};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e.detail, sizeof e.detail, fmt, ap);
    va_end(ap);
    request_fail(rq, &e);
}
