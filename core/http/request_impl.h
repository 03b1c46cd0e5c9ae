/* request_impl: the insides of a request, for the files of this room. Room: http. Threads: [loop].
 */
#ifndef PADDOCK_HTTP_REQUEST_IMPL_H
#define PADDOCK_HTTP_REQUEST_IMPL_H

#include "base/ids.h"
#include "http/head.h"
#include "http/request.h"

#define PEER_SIZE 48

struct connection;

enum request_phase {
    PHASE_COMING,   /* head or buffered body */
    PHASE_RUNNING,  /* in the handler, which has not decided yet */
    PHASE_READING,  /* the handler reads the body piece by piece */
    PHASE_DEFERRED, /* to be replied to later */
    PHASE_STREAM,   /* the reply is being streamed */
    PHASE_REPLIED
};

struct stream {
    struct stream_events events;
    void *ctx;
    int64_t written_ms; /* last write, for heartbeats */
    size_t sent;        /* bytes of body */
    int status;
    bool chunked;
    bool discard; /* HEAD: nothing is sent */
    bool orphan;  /* to be closed when the turn ends: it has nobody to go to */
    bool pending; /* something was written since the last `drained` */
};

struct request_pair {
    const char *name, *value;
};

struct request {
    struct loop *loop;
    struct connection *conn; /* NULL: the client has left */
    struct request *prev, *next;
    struct arena *arena;
    enum request_phase phase;
    bool handled; /* its handler was called */

    struct head head;
    const struct route *route;
    unsigned allowed; /* methods of the path, a bit each */
    struct {
        const char *name;
        size_t name_len;
        const char *value;
    } params[ROUTE_PARAMS_MAX];
    size_t n_params;
    struct request_pair *query;
    size_t n_query;
    const char *path, *media_type; /* made when asked for */

    struct bytes body;
    size_t body_charged; /* against the budget */
    size_t body_max;
    void (*piece)(struct request *rq, const char *data, size_t len);
    void (*end)(struct request *rq);
    void (*gone)(struct request *rq);

    char id_made[ULID_SIZE];
    char peer[PEER_SIZE];
    const char *id;
    int64_t started_ns;
    const char *actor_kind, *actor_id;
    const char *origin;       /* of a page that may read the reply, or NULL */
    uint64_t address, tenant; /* address_number() of the client; who is served, 0: nobody known */
    const void *access;
    void *data;
    void (*on_reply)(struct request *rq, int status, const char *headers, const char *type,
                     const char *body, size_t len, void *ctx);
    void *on_reply_ctx;
    struct bytes headers; /* what the handler added, as lines */
    struct stream stream;
    struct request *next_orphan;
};

/* A fresh request of a connection, from the loop's spare ones. */
struct request *request_take(struct loop *l, struct connection *c);
/* Give it back, without a word to anyone. */
void request_release(struct request *rq);
void request_free(struct request *rq);
/* Its id: the one that came with it, if good. Once the head is in or has failed. */
void request_identify(struct request *rq);
/* The reply is out or dropped: count it, log it, give the request back. */
void request_end(struct request *rq, int status, size_t bytes);
/* The client has left before the reply (status 499 in the log, as the request is over). */
void request_abandon(struct request *rq);
/* The loop ends a stream: tell its owner, then the client. */
void stream_finish(struct stream *s);
/* Take it off the list of orphans, if it is there. */
void stream_adopt(struct request *rq);
/* The methods of `allowed`: "GET, HEAD". */
void request_methods(const struct request *rq, char *out, size_t size);
/* Add the Allow header made of them. */
void request_allow(struct request *rq);
/* May the client's address send one more request now? (guard.c) */
bool guard_address(struct request *rq, struct err *e) MUST_CHECK;
/* Parse and percent-decode the query string into `query`. */
bool request_parse_query(struct request *rq, struct err *e) MUST_CHECK;

#endif
