/* stats: what one loop counts. Room: http. Threads: written by [loop], read by [any].
 *
 * Each counter has one writer, so it grows by a relaxed load and store, which costs no more than a
 * plain one; readers see each counter whole, not all of them at one instant. */
#ifndef PADDOCK_HTTP_STATS_H
#define PADDOCK_HTTP_STATS_H

#include "http/server.h"

#include <stdatomic.h>

typedef _Atomic uint64_t counter;

static inline void counter_add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

struct route_counters {
    counter by_status[HTTP_STATUS_COUNT];
    counter took[HTTP_BUCKET_COUNT + 1]; /* not cumulative; the last is "longer" */
    counter nanoseconds;
};

struct loop_stats {
    char apart[64]; /* no cache line is shared with what malloc put before */
    counter accepted, refused, open, body_bytes, bytes_in, bytes_out;
    counter handshakes, handshakes_failed;
    counter lag_ns; /* worst since read; reading resets it, so it alone has two writers */
    size_t n_routes;
    struct route_counters *routes; /* n_routes + 1, the last for "no route" */
    char behind[64];
};

void stats_init(struct loop_stats *s, size_t n_routes);
void stats_release(struct loop_stats *s);
/* One reply of the route with this index (n_routes: none). */
void stats_reply(struct loop_stats *s, size_t route, int status, int64_t took_ns);
void stats_lag(struct loop_stats *s, int64_t ns);
/* Add this loop's counts to `out`. */
void stats_collect(struct loop_stats *s, struct http_stats *out);
void stats_collect_routes(const struct loop_stats *s, struct http_route_stats *out, size_t n);

#endif
