/* request: one HTTP request from its headers to its reply. Room: http. Threads: [loop], its own
 * loop.
 *
 * Life: the connection makes it; the handler must do exactly one of
 *   - reply now            request_reply / request_reply_json / request_fail
 *   - reply later          request_defer, then one of the above later ON THE SAME LOOP
 *   - open a stream        request_stream
 * A request outlives its connection: when the client has gone the reply is dropped, and the request
 * still ends by being replied to. Everything handed out lives until then, in its arena. */
#ifndef PADDOCK_HTTP_REQUEST_H
#define PADDOCK_HTTP_REQUEST_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "http/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct request;

/* --- what came in --- */
enum http_method request_method(const struct request *rq); /* HEAD shows as METHOD_GET */
const struct route *request_route(const struct request *rq);
const char *request_path(const struct request *rq);   /* raw, without query */
const char *request_target(const struct request *rq); /* raw, with query */
/* A path parameter, percent-decoded once; never NULL for a name in the route's template. */
const char *request_param(const struct request *rq, const char *name);
/* A query parameter, decoded; the first if repeated; NULL if absent. */
const char *request_query(const struct request *rq, const char *name);
/* The i-th query parameter in order; false past the end. */
bool request_query_at(const struct request *rq, size_t i, const char **name, const char **value);
/* A header's value (name compared without case), or NULL. Repeated ones are joined with ", ". */
const char *request_header(const struct request *rq, const char *name);
/* The body, complete (not on ROUTE_STREAM_BODY routes). NUL-terminated. Never NULL. */
const char *request_body(const struct request *rq, size_t *len);
/* Media type without parameters, lower case; "" when there is none. */
const char *request_media_type(const struct request *rq);
const char *request_id(const struct request *rq);          /* X-Request-Id taken or made */
const char *request_traceparent(const struct request *rq); /* NULL if none or malformed */
const char *request_peer(const struct request *rq);        /* numeric address */
int64_t request_started_ns(const struct request *rq);      /* monotonic */

/* --- where it is --- */
struct arena *request_arena(struct request *rq);
struct loop *request_loop(const struct request *rq);
void *request_app(const struct request *rq); /* http_config.app */

/* Who asks, set by the authorize hook; for the log and the handlers. Texts must outlive the request
 * (its arena). Default "anonymous", "". */
void request_set_actor(struct request *rq, const char *kind, const char *id);
const char *request_actor_kind(const struct request *rq);
const char *request_actor_id(const struct request *rq);
/* What the authorize hook found out about the one who asks, for the handlers. */
void request_set_access(struct request *rq, const void *access);
const void *request_access(const struct request *rq);
/* One pointer of the application's own, for deferred work. */
void request_set_data(struct request *rq, void *data);
void *request_data(const struct request *rq);
/* Called once when the reply has been handed over (after reply, before the request is freed): the
 * status and body that were sent. One per request; used for idempotency. */
void request_on_reply(struct request *rq,
                      void (*fn)(struct request *rq, int status, const char *headers,
                                 const char *type, const char *body, size_t len, void *ctx),
                      void *ctx);

/* --- what goes out --- */

/* Add a header to the reply to come. Name is a constant; the value is copied and must have no CR,
 * LF or NUL (such a value is a bug and is dropped). */
void request_add_header(struct request *rq, const char *name, const char *value);

/* Reply. `type` NULL: application/json; charset=utf-8. The body is copied. Ends the request. */
void request_reply(struct request *rq, int status, const char *type, const void *body, size_t len);
/* Reply with JSON from a buffer, then release the buffer. A `full` buffer becomes a 500 problem. */
void request_reply_json(struct request *rq, int status, struct bytes *body);
/* Reply with an entity: ETag "<revision>", 304 on a matching If-None-Match of a GET. */
void request_reply_entity(struct request *rq, int status, int64_t revision, const char *json,
                          size_t len);
/* The same of one that was found by what may lead elsewhere later: never 304, since another may
 * well have the revision that the client knows. */
void request_reply_found(struct request *rq, int64_t revision, const char *json, size_t len);
/* Reply with a problem document (RFC 9457) made of `e`, or with what the route has instead. */
void request_fail(struct request *rq, const struct err *e);
/* fail() and request_fail() in one. */
void request_problem(struct request *rq, const struct err_kind *kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Keep the request for a later reply on this loop. */
void request_defer(struct request *rq);

/* --- streaming bodies in (ROUTE_STREAM_BODY) --- */

/* Called with each piece of the body as it arrives (any size, chunked coding removed), then once
 * with `end`. The handler may reply early: the rest is read and dropped within the route's limit.
 * If the client leaves before the end, or its body is too large, too slow or malformed (which this
 * layer answers), `gone` is called instead and the request is over. */
void request_read_body(struct request *rq,
                       void (*piece)(struct request *rq, const char *data, size_t len),
                       void (*end)(struct request *rq), void (*gone)(struct request *rq));

/* Ask for no more pieces (true), and then for more again (false). At most 64 KiB may still come
 * after a hold; past that the client is made to wait. The time of a hold does not count against it.
 */
void request_hold_body(struct request *rq, bool hold);

/* --- streaming replies --- */

struct stream;

/* Begin a reply whose length is not known: chunked on HTTP/1.1. The request ends with the stream.
 */
struct stream *request_stream(struct request *rq, int status, const char *type);
struct stream_events {
    /* What was written has gone out, but for less than 64 KiB: write on. */
    void (*drained)(struct stream *s, void *ctx);
    void (*closed)(struct stream *s,
                   void *ctx); /* the client left or was cut off; `s` is gone after */
};
void stream_listen(struct stream *s, const struct stream_events *events, void *ctx);
/* Queue a piece. False (and the connection is cut) when more than 256 KiB + len wait unsent. After
 * a false the stream must not be used: `closed` has been or will be called. */
bool stream_write(struct stream *s, const void *data, size_t len) MUST_CHECK;
size_t stream_backlog(const struct stream *s);
void stream_end(struct stream *s);
struct request *stream_request(struct stream *s);

#endif
