/* server: listeners and loops of one HTTP server. Room: http. Threads: [main] unless marked. */
#ifndef PADDOCK_HTTP_SERVER_H
#define PADDOCK_HTTP_SERVER_H

#include "base/clock.h"
#include "base/err.h"
#include "http/loop.h"
#include "http/request.h"
#include "http/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

struct http_config {
    const char *listen; /* "127.0.0.1:8080", "[::1]:0", port 0: any free one */
    unsigned threads;   /* loops, 1..64 */
    const struct route *routes;
    const struct clock *clock;
    void *app; /* request_app() */

    /* Limits; 0: the default in brackets. */
    size_t header_max; /* request line and headers together, bytes [16 KiB] */
    size_t body_max;   /* default of a route, bytes [1 MiB] */
    size_t
        body_budget; /* bytes of request bodies held at once by all loops [256 MiB]; past it 503 */
    size_t reply_budget; /* bytes of replies that clients have not read yet, shared evenly by the
                            loops [256 MiB]; past it a large reply to a GET is 503, and a
                            stream that has a large piece is cut */
    unsigned connections_max;         /* of all loops together [20000]; past it 503 and close */
    unsigned connections_per_address; /* [half of connections_max]; past it 429 and close */
    double address_rate;  /* requests a second from one client address; 0: as many as it likes */
    double address_burst; /* how many of them at once [address_rate, at least 1] */
    double wrong_tokens_per_minute; /* from one client address (guard.h) [0: any number] */
    size_t
        limits_places; /* clients and tenants that limits can tell apart, 16 bytes each [65536] */
    unsigned header_timeout_ms; /* from the first byte to the end of the headers [10000]: 408 */
    unsigned body_timeout_ms;  /* from headers to the end of the body [60000]: 408; large bodies get
                                  1 s more per 64 KiB received */
    unsigned idle_timeout_ms;  /* keep-alive without a request [75000] */
    unsigned write_timeout_ms; /* a reply that makes no progress [30000] */
    unsigned heartbeat_ms;     /* comment line on idle event streams [15000] */

    /* Browsers (origin.h). Lists end with NULL; NULL: empty. */
    bool check_host;   /* 421 for names of others: where only this machine is to be served */
    bool check_origin; /* 403 for changes by pages of other origins */
    const char *const *host_names, *const *cors_origins; /* "*": any */

    struct tls *tls;               /* tls.h; NULL: plain HTTP. Must outlive the server */
    unsigned handshake_timeout_ms; /* from accept to the end of the TLS handshake [10000] */
    unsigned handshakes_max; /* under way at once, of all loops [4096]; the oldest make room */

    bool access_log;

    /* Hooks, each may be NULL. */
    bool (*loop_start)(struct loop *l, void *app, struct err *e); /* [loop] before it serves */
    void (*loop_stop)(struct loop *l, void *app); /* [loop] after its last request */
    void (*tick)(struct loop *l, void *app);      /* [loop] about once a second */
    /* [loop] May refuse a request before its body is read; sets the actor. Rates, wrong tokens and
     * client certificates: guard.h. */
    bool (*authorize)(struct request *rq, struct err *e);
};

struct http_server;

/* Can `listen` be served on as of now, and does what it is looked up as stand for this machine
 * only?
 */
bool http_look(const char *listen, bool *loopback, struct err *e) MUST_CHECK;
/* Bind, start the loops, return when all of them serve. */
struct http_server *http_start(const struct http_config *config, struct err *e) MUST_CHECK;
/* "127.0.0.1" and the port actually bound. */
const char *http_address(const struct http_server *s);
/* Address and port in one text. */
void http_place(const struct http_server *s, char *out, size_t size);
unsigned http_port(const struct http_server *s);
unsigned http_loops(const struct http_server *s);
struct loop *http_loop(const struct http_server *s, unsigned index);
/* Graceful: stop listening, finish what was accepted (new requests on kept connections get
 * `Connection: close`), end streams, then the loops; at most `grace_ms`. Frees nothing. */
void http_drain(struct http_server *s, unsigned grace_ms);
/* End the threads (after http_drain). Answers that are posted from now on are not run, but may
 * still be posted: parts that hold a loop can be stopped in between. */
void http_join(struct http_server *s);
/* Free the server, joining first if that was not done. */
void http_free(struct http_server *s);

#define HTTP_BUCKET_COUNT 11
extern const double HTTP_BUCKETS[HTTP_BUCKET_COUNT]; /* seconds: .0001 .. 10 */
/* The statuses that are counted one by one; the last stands for all others and is 0. */
#define HTTP_STATUS_COUNT 37
extern const int HTTP_STATUSES[HTTP_STATUS_COUNT];

/* Counters, summed over the loops. [any] */
struct http_route_stats {
    const struct route *route;              /* NULL: no route (404, malformed, ...) */
    uint64_t by_status[HTTP_STATUS_COUNT];  /* replies, in the order of HTTP_STATUSES */
    uint64_t count;                         /* all of them */
    uint64_t seconds_le[HTTP_BUCKET_COUNT]; /* cumulative: took at most HTTP_BUCKETS[i] */
    double seconds_sum;
};

struct http_stats {
    uint64_t accepted, refused_connections, open_connections;
    uint64_t body_bytes_in_flight;
    uint64_t bytes_in, bytes_out;
    int64_t certificate_expires_ms;         /* TLS: UTC; 0: plain HTTP */
    uint64_t handshakes, handshakes_failed; /* TLS: done; broken, timed out or made to give way */
    double loop_lag_seconds_max;            /* worst tick lateness since the last call */
};
void http_stats(struct http_server *s, struct http_stats *out);
/* Fills `out[i]` for each row of the table and one last for "no route"; returns how many (rows +
 * 1). */
size_t http_route_stats(struct http_server *s, struct http_route_stats *out, size_t max);

#endif
