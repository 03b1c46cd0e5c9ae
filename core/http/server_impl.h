/* server_impl: what the loops of one server share. Room: http. Threads: as marked. */
#ifndef PADDOCK_HTTP_SERVER_IMPL_H
#define PADDOCK_HTTP_SERVER_IMPL_H

#include "base/rate_limiter.h"
#include "http/crowd.h"
#include "http/loop_impl.h"

#include <stdatomic.h>

struct http_server {
    struct http_config config; /* immutable once the loops run */
    struct router *router;
    struct rate_limiter *limits;
    struct crowd *crowd;
    struct loop **loops;
    unsigned n_loops, n_threads; /* made; running */
    char address[64];
    unsigned port;

    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned started, failed, drained; /* loops, under the mutex */
    struct err start_error;
    bool draining;

    /* Written by all loops, seldom: on accept and close, and per step of body bytes. */
    _Alignas(64) atomic_uint connections;
    _Alignas(64) atomic_size_t body_reserved;
};

enum server_admission { ADMITTED, FULL, CROWDED };
/* A connection from an address is counted in, or there are too many: of all, or from there. [loop]
 */
enum server_admission server_admit(struct http_server *s, uint64_t address);
void server_leave(struct http_server *s, uint64_t address);
/* Take or give back bytes of the body budget. [loop] */
bool server_reserve(struct http_server *s, size_t bytes) MUST_CHECK;
void server_unreserve(struct http_server *s, size_t bytes);
/* The loop has no connection left. [loop] */
void server_loop_drained(struct http_server *s);

#endif
