/* fixture: a small HTTP server for the tests of this room, and raw talk to it. Each test starts its
 * own, with the limits it wants to see at work. */
#ifndef PADDOCK_TESTS_HTTP_FIXTURE_H
#define PADDOCK_TESTS_HTTP_FIXTURE_H

#include "support/unit.h"

#include "base/clock.h"
#include "base/pool.h"
#include "http/errors.h"
#include "http/server.h"
#include "support/client.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What handlers saw; one test at a time. */
static struct {
    atomic_int handled, gone, closed, replies;
    atomic_size_t received;
    atomic_bool hold;                  /* streaming bodies: ask for a pause after each piece */
    _Atomic(struct request *) waiting; /* deferred by /wait, until release_waiting() */
    _Atomic(struct loop *) waiting_on; /* its loop */
    struct pool *pool;
} seen __attribute__((unused));

/* --- handlers --- */

/* Says what it got, in one line of JSON. */
static void handle_echo(struct request *rq)
{
    struct bytes b = BYTES_INIT(1 << 20);
    size_t len;
    const char *body = request_body(rq, &len), *q = request_query(rq, "q");
    atomic_fetch_add(&seen.handled, 1);
    bytes_printf(&b, "{\"id\":\"%s\",\"q\":\"%s\",\"len\":%zu,\"body\":\"%.*s\"}",
                 request_param(rq, "id"), q ? q : "-", len, len > 64 ? 64 : (int)len, body);
    request_reply_json(rq, 200, &b);
}

/* {n} bytes of 'x'. */
static void handle_size(struct request *rq)
{
    size_t n = strtoul(request_param(rq, "n"), NULL, 10);
    char *data = malloc(n + 1);
    memset(data, 'x', n + 1);
    atomic_fetch_add(&seen.handled, 1);
    request_reply(rq, 200, "text/plain", data, n);
    free(data);
}

struct job {
    struct mail mail;
    struct request *rq;
    struct loop *loop;
};

static void answer_job(struct mail *m)
{
    struct job *job = (struct job *)m;
    request_reply(job->rq, 200, NULL, "{\"late\":true}", 13);
    atomic_fetch_add(&seen.replies, 1);
    free(job);
}

static void work(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->mail.run = answer_job;
    loop_post_answer(job->loop, &job->mail);
}

/* Answered by way of another thread. */
static void handle_later(struct request *rq)
{
    struct job *job = malloc(sizeof *job);
    *job = (struct job){.mail.run = work, .rq = rq, .loop = request_loop(rq)};
    atomic_fetch_add(&seen.handled, 1);
    request_defer(rq);
    if (!pool_submit(seen.pool, &job->mail))
        abort();
}

/* Answered when the test says so. */
static void handle_wait(struct request *rq)
{
    request_defer(rq);
    atomic_store(&seen.waiting_on, request_loop(rq));
    atomic_store(&seen.waiting, rq);
    atomic_fetch_add(&seen.handled, 1);
}

static void __attribute__((unused)) release_waiting(void)
{
    struct job *job = malloc(sizeof *job);
    *job = (struct job){.mail.run = answer_job, .rq = atomic_exchange(&seen.waiting, NULL)};
    loop_post_answer(atomic_load(&seen.waiting_on), &job->mail);
}

static void on_piece(struct request *rq, const char *data, size_t len)
{
    (void)data;
    atomic_fetch_add(&seen.received, len);
    if (atomic_load(&seen.hold))
        request_hold_body(rq, true);
    if (request_query(rq, "early"))
        request_reply(rq, 202, NULL, "{}", 2);
}

static void on_end(struct request *rq)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"received\":%zu}", atomic_load(&seen.received));
    request_reply(rq, 200, NULL, text, (size_t)n);
}

static void on_gone(struct request *rq)
{
    (void)rq;
    atomic_fetch_add(&seen.gone, 1);
}

static void handle_intake(struct request *rq)
{
    atomic_fetch_add(&seen.handled, 1);
    atomic_store(&seen.received, 0);
    atomic_store(&seen.waiting, rq);
    request_read_body(rq, on_piece, on_end, on_gone);
}

static void on_closed(struct stream *s, void *ctx)
{
    (void)s;
    (void)ctx;
    atomic_fetch_add(&seen.closed, 1);
}

static const struct stream_events STREAM_EVENTS = {.closed = on_closed};

/* An event stream: one event, then silence. ?flood=1: events until it is cut. */
static void handle_events(struct request *rq)
{
    bool flood = request_query(rq, "flood") != NULL;
    struct stream *s = request_stream(rq, 200, "text/event-stream");
    stream_listen(s, &STREAM_EVENTS, NULL);
    atomic_fetch_add(&seen.handled, 1);
    static char big[8192];
    memset(big, 'e', sizeof big);
    bool open = stream_write(s, "data: 1\n\n", 9);
    while (flood && open)
        open = stream_write(s, big, sizeof big);
}

struct export
{
    size_t left;
};

static void write_on(struct stream *s, void *ctx)
{
    static char row[1000];
    struct export *x = ctx;
    memset(row, 'r', sizeof row);
    while (x->left && stream_backlog(s) < 16 * 1024) {
        if (!stream_write(s, row, sizeof row))
            return;
        x->left--;
    }
    if (!x->left)
        stream_end(s);
}

/* {n} rows of 1000 bytes, as fast as the reader takes them. */
static void handle_export(struct request *rq)
{
    static const struct stream_events events = {.drained = write_on, .closed = on_closed};
    struct export *x = arena_zero(request_arena(rq), sizeof *x);
    x->left = strtoul(request_param(rq, "n"), NULL, 10);
    atomic_fetch_add(&seen.handled, 1);
    struct stream *s = request_stream(rq, 200, "application/x-ndjson");
    stream_listen(s, &events, x);
    write_on(s, x);
}

static void handle_entity(struct request *rq)
{
    request_reply_entity(rq, 200, 7, "{\"revision\":7}", 14);
}

static void handle_nothing(struct request *rq)
{
    (void)rq;
}

static void handle_fail(struct request *rq)
{
    int status = (int)strtol(request_param(rq, "status"), NULL, 10);
    struct err_kind kind = {"A_KIND", status, "A kind", "For tests."};
    struct err e = {.kind = &kind, .members = "\"more\":1"};
    snprintf(e.detail, sizeof e.detail, "with \"quotes\"");
    request_fail(rq, &e);
}

static const struct field QUERY[] = {
    {.name = "q", .type = FIELD_STRING, .max = 10, .doc = "text"},
    {.name = "limit", .type = FIELD_INT, .min = 1, .max = 1000, .doc = "a number"},
    {.name = "early", .type = FIELD_BOOL, .doc = "reply early"},
    {.name = "flood", .type = FIELD_BOOL, .doc = "much"},
    {.name = NULL},
};
static const struct field STRICT_QUERY[] = {
    {.name = "must", .type = FIELD_INT, .flags = FIELD_REQUIRED, .max = 10, .doc = "needed"},
    {.name = NULL},
};

#define PUBLIC ROUTE_PUBLIC
static const struct route ROUTES[] = {
    {METHOD_GET, "/things/{id}", "get", handle_echo, .query = QUERY,
     .flags = PUBLIC | ROUTE_LABEL_FILTER},
    {METHOD_PUT, "/things/{id}", "put", handle_echo, .flags = PUBLIC},
    {METHOD_PATCH, "/things/{id}", "patch", handle_echo, .flags = PUBLIC},
    {METHOD_DELETE, "/things/{id}", "delete", handle_echo, .flags = PUBLIC | ROUTE_NO_BODY},
    {METHOD_POST, "/things", "post", handle_echo, .query = QUERY, .flags = PUBLIC | ROUTE_KEYED,
     .body_max = 100000},
    {METHOD_POST, "/big", "big", handle_echo, .flags = PUBLIC | ROUTE_NDJSON, .body_max = 8 << 20},
    {METHOD_POST, "/check", "check", handle_echo, .flags = PUBLIC | ROUTE_UNKEYED},
    {METHOD_POST, "/script", "script", handle_echo, .flags = PUBLIC, .consumes = "text/x-lua"},
    {METHOD_GET, "/strict", "strict", handle_echo, .query = STRICT_QUERY, .flags = PUBLIC},
    {METHOD_GET, "/any", "any", handle_echo, .flags = PUBLIC | ROUTE_ANY_PARAMETER},
    {METHOD_GET, "/secret", "secret", handle_echo, .action = "read"},
    {METHOD_GET, "/size/{n}", "size", handle_size, .flags = PUBLIC},
    {METHOD_GET, "/later", "later", handle_later, .flags = PUBLIC},
    {METHOD_GET, "/wait", "wait", handle_wait, .flags = PUBLIC},
    {METHOD_POST, "/intake", "intake", handle_intake, .query = QUERY,
     .flags = PUBLIC | ROUTE_STREAM_BODY | ROUTE_NDJSON, .body_max = 4 << 20},
    {METHOD_GET, "/events", "events", handle_events, .query = QUERY,
     .flags = PUBLIC | ROUTE_OPEN_ENDED},
    {METHOD_GET, "/export/{n}", "export", handle_export, .flags = PUBLIC},
    {METHOD_GET, "/entity", "entity", handle_entity, .flags = PUBLIC},
    {METHOD_GET, "/nothing", "nothing", handle_nothing, .flags = PUBLIC},
    {METHOD_GET, "/fail/{status}", "fail", handle_fail, .flags = PUBLIC},
    {.path = NULL},
};

/* --- the server --- */

/* The machine's clock, put forward by what a test says. */
static _Atomic int64_t ahead_ms;
static int64_t wall_ahead(void *self)
{
    (void)self;
    return clock_wall_ms(&CLOCK_SYSTEM) + atomic_load(&ahead_ms);
}
static int64_t mono_same(void *self)
{
    (void)self;
    return clock_mono_ns(&CLOCK_SYSTEM);
}
static const struct clock CLOCK_AHEAD = {wall_ahead, mono_same, NULL};

/* Start with what `config` asks for; routes, clock and address are filled in. */
static struct http_server *__attribute__((unused)) serve(struct http_config config)
{
    struct err e;
    memset(&seen, 0, sizeof seen);
    seen.pool = pool_start("work", 2, 1000, &e);
    config.listen = "127.0.0.1:0";
    config.routes = config.routes ? config.routes : ROUTES;
    config.clock = &CLOCK_AHEAD;
    struct http_server *s = http_start(&config, &e);
    if (!s)
        fail_msg("%s", e.detail);
    return s;
}

static void __attribute__((unused)) end(struct http_server *s)
{
    http_drain(s, 1000);
    pool_stop(seen.pool);
    http_free(s);
}

/* Wait (30 s) for a condition that another thread brings about. */
#define UNTIL(condition)                                      \
    do {                                                      \
        for (int ms_ = 0; ms_ < 60000 && !(condition); ms_++) \
            usleep(500);                                      \
        assert_true(condition);                               \
    } while (0)

/* --- talk --- */

static int __attribute__((unused)) dial(const struct http_server *s)
{
    int fd = client_connect(http_port(s));
    assert_true(fd >= 0);
    struct timeval limit = {.tv_sec = 30}; /* machines may be busy */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void __attribute__((unused)) say(int fd, const char *text)
{
    assert_true(client_send(fd, text, strlen(text)));
}

/* The next reply's status; its body into `body` if not NULL (at least 512 bytes). */
static int __attribute__((unused)) hear(int fd, char *body)
{
    struct client_reply r;
    assert_true(client_read(fd, false, &r));
    if (body)
        snprintf(body, 512, "%s", r.body);
    client_reply_release(&r);
    return r.status;
}

/* Has the server closed the connection (or does so within `ms`)? What still comes is dropped. */
static bool __attribute__((unused)) hangs_up(int fd, int ms)
{
    char piece[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, ms) == 1) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return true;
    }
    return false;
}

/* Read until `last` has come as the end of a read; how many bytes that were. For large replies. */
static size_t __attribute__((unused)) swallow(int fd, const char *last)
{
    static char piece[1 << 20];
    size_t total = 0, len = strlen(last), n = 0;
    while (n < len || memcmp(piece + n - len, last, len) != 0) {
        size_t keep = n < len ? n : len; /* `last` may come in two */
        memmove(piece, piece + n - keep, keep);
        ssize_t k = recv(fd, piece + keep, sizeof piece - keep, 0);
        if (k <= 0)
            fail_msg("the reply ended after %zu bytes", total);
        total += (size_t)k;
        n = keep + (size_t)k;
    }
    return total;
}

/* One request on a connection of its own; the status. */
static int __attribute__((unused)) ask(const struct http_server *s, const char *text, char *body)
{
    int fd = dial(s);
    say(fd, text);
    int status = hear(fd, body);
    close(fd);
    return status;
}

/* Does it still serve? */
static void __attribute__((unused)) assert_serves(const struct http_server *s)
{
    assert_int_equal(ask(s, "GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n", NULL), 200);
}

static int64_t __attribute__((unused)) now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
