#include "http/stats.h"

#include "base/mem.h"
#include "http/status.h"

#include <stdlib.h>

const double HTTP_BUCKETS[HTTP_BUCKET_COUNT] = {.0001, .00025, .0005, .001, .0025, .005,
                                                .01,   .05,    .1,    1,    10};
static const int64_t BUCKETS_NS[HTTP_BUCKET_COUNT] = {100000,    250000,     500000,     1000000,
                                                      2500000,   5000000,    10000000,   50000000,
                                                      100000000, 1000000000, 10000000000};

static uint64_t get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void stats_init(struct loop_stats *s, size_t n_routes)
{
    s->n_routes = n_routes;
    s->routes = mem_zero(n_routes + 1, sizeof *s->routes);
}

void stats_release(struct loop_stats *s)
{
    free(s->routes);
}

void stats_reply(struct loop_stats *s, size_t route, int status, int64_t took_ns)
{
    struct route_counters *r = &s->routes[route];
    size_t bucket = 0;
    while (bucket < HTTP_BUCKET_COUNT && took_ns > BUCKETS_NS[bucket])
        bucket++;
    counter_add(&r->by_status[status_index(status)], 1);
    counter_add(&r->took[bucket], 1);
    counter_add(&r->nanoseconds, took_ns > 0 ? (uint64_t)took_ns : 0);
}

void stats_lag(struct loop_stats *s, int64_t ns)
{
    if (ns > 0 && (uint64_t)ns > get(&s->lag_ns))
        atomic_store_explicit(&s->lag_ns, (uint64_t)ns, memory_order_relaxed);
}

void stats_collect(struct loop_stats *s, struct http_stats *out)
{
    out->accepted += get(&s->accepted);
    out->refused_connections += get(&s->refused);
    out->open_connections += get(&s->open);
    out->body_bytes_in_flight += get(&s->body_bytes);
    out->bytes_in += get(&s->bytes_in);
    out->bytes_out += get(&s->bytes_out);
    out->handshakes += get(&s->handshakes);
    out->handshakes_failed += get(&s->handshakes_failed);
    double lag = (double)atomic_exchange_explicit(&s->lag_ns, 0, memory_order_relaxed) / 1e9;
    if (lag > out->loop_lag_seconds_max)
        out->loop_lag_seconds_max = lag;
}

void stats_collect_routes(const struct loop_stats *s, struct http_route_stats *out, size_t n)
{
    for (size_t i = 0; i < n && i <= s->n_routes; i++) {
        const struct route_counters *r = &s->routes[i];
        uint64_t sum = 0;
        for (size_t k = 0; k < HTTP_BUCKET_COUNT; k++)
            out[i].seconds_le[k] += sum += get(&r->took[k]);
        out[i].count += sum + get(&r->took[HTTP_BUCKET_COUNT]);
        for (size_t k = 0; k < HTTP_STATUS_COUNT; k++)
            out[i].by_status[k] += get(&r->by_status[k]);
        out[i].seconds_sum += (double)get(&r->nanoseconds) / 1e9;
    }
}
