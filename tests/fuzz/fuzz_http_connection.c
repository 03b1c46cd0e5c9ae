/* Any bytes from a client, in pieces of any size, to a whole connection: no crash, no leak, and
 * what comes back is a row of well-formed replies. And the head parser alone: the same bytes give
 * the same result however they are cut. */
#include "base/mem.h"
#include "http/connection.h"
#include "http/server_impl.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* --- handlers --- */

static void handle_get(struct request *rq)
{
    require(request_param(rq, "id")[0] != '\0', "a parameter");
    request_reply(rq, 200, NULL, "{}", 2);
}

static void handle_post(struct request *rq)
{
    char text[32];
    size_t len;
    require(request_body(rq, &len)[len] == '\0' && len <= 64, "a body");
    request_reply(rq, 200, "text/plain", text, (size_t)snprintf(text, sizeof text, "%zu", len));
}

static void on_piece(struct request *rq, const char *data, size_t len)
{
    if (data[len - 1] == '!') /* an early reply */
        request_reply(rq, 202, NULL, "{}", 2);
}

static void on_end(struct request *rq)
{
    request_reply(rq, 200, NULL, "{}", 2);
}

static void on_gone(struct request *rq)
{
    require(request_data(rq) == NULL, "gone twice");
    request_set_data(rq, rq);
}

static void handle_intake(struct request *rq)
{
    request_read_body(rq, on_piece, on_end, on_gone);
}

static void handle_stream(struct request *rq)
{
    struct stream *s = request_stream(rq, 200, "text/plain");
    if (stream_write(s, "piece", 5))
        stream_end(s);
}

static void handle_defer(struct request *rq)
{
    *(struct request **)request_app(rq) = rq;
    request_defer(rq);
}

static const struct field QUERY[] = {{.name = "q", .type = FIELD_STRING, .max = 10, .doc = "text"},
                                     {.name = NULL}};
static const struct route ROUTES[] = {
    {METHOD_GET, "/g/{id}", "get", handle_get, .query = QUERY, .flags = ROUTE_PUBLIC},
    {METHOD_POST, "/p", "post", handle_post, .flags = ROUTE_PUBLIC, .body_max = 64},
    {METHOD_POST, "/i", "intake", handle_intake, .flags = ROUTE_PUBLIC | ROUTE_STREAM_BODY,
     .body_max = 64},
    {METHOD_GET, "/s", "stream", handle_stream, .flags = ROUTE_PUBLIC},
    {METHOD_GET, "/d", "defer", handle_defer, .flags = ROUTE_PUBLIC},
    {.path = NULL},
};

/* --- one server for all runs --- */

static struct http_server server;
static struct loop *loop;
static struct manual_clock time_;
static struct request *deferred;

static void set_up(void)
{
    struct err e;
    manual_clock_init(&time_, 1790000000000);
    server.config = (struct http_config){.routes = ROUTES,
                                         .clock = &time_.clock,
                                         .app = &deferred,
                                         .header_max = 512,
                                         .body_max = 64,
                                         .body_budget = 1000,
                                         .connections_max = 1,
                                         .connections_per_address = 1,
                                         .header_timeout_ms = 1000,
                                         .body_timeout_ms = 1000,
                                         .idle_timeout_ms = 1000,
                                         .write_timeout_ms = 1000,
                                         .heartbeat_ms = 1000,
                                         .threads = 1};
    server.router = router_new(ROUTES, &e);
    require(server.router != NULL, "the routes");
    server.crowd = crowd_new();
    loop = loop_new(&server, &server.config, server.router, 0, -1, &e);
    require(loop != NULL, "the loop");
}

static void turn(void)
{
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    loop_turn_end(loop);
}

static void answer_deferred(void)
{
    struct request *rq = deferred;
    deferred = NULL;
    if (rq)
        request_reply(rq, 200, NULL, "{}", 2);
}

/* --- what came back --- */

struct output {
    char text[1 << 18];
    size_t len;
};

static void collect(int fd, struct output *out)
{
    ssize_t n;
    while (out->len < sizeof out->text - 1 &&
           (n = recv(fd, out->text + out->len, sizeof out->text - 1 - out->len, MSG_DONTWAIT)) > 0)
        out->len += (size_t)n;
    out->text[out->len] = '\0';
}

/* The bytes after the head of a reply that belong to it; `rest` are there. */
static size_t body_len(const char *head, const char *end, size_t rest)
{
    const char *length = strstr(head, "\r\nContent-Length: ");
    const char *chunked = strstr(head, "\r\nTransfer-Encoding: chunked");
    const char *close = strstr(head, "\r\nConnection: close");
    if (chunked && chunked < end)
        return strlen("5\r\npiece\r\n0\r\n\r\n");
    if (length && length < end)
        return strtoul(length + 18, NULL, 10);
    return close && close < end ? rest : 0;
}

/* Replies to HEAD have a length and no body: the next reply comes at once. */
static void check_output(const struct output *out)
{
    const char *at = out->text, *last = out->text + out->len;
    while (at < last) {
        require(strncmp(at, "HTTP/1.1 ", 9) == 0, "a reply begins with its status line");
        const char *end = strstr(at, "\r\n\r\n");
        require(end != NULL, "a reply has a whole head");
        size_t len = body_len(at, end, (size_t)(last - end) - 4);
        at = end + 4;
        bool none = at == last || strncmp(at, "HTTP/1.1 ", 9) == 0;
        require(none || (size_t)(last - at) >= len, "a reply has a whole body");
        at += none ? 0 : len;
    }
}

static void run_connection(const uint8_t *data, size_t size, size_t piece, bool hang_up)
{
    static struct output out;
    const struct sockaddr peer = {.sa_family = AF_UNIX};
    int fds[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
            "a socket pair");
    out.len = 0;
    connection_open(loop, fds[0], &peer);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        if (send(fds[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn();
        answer_deferred();
        collect(fds[1], &out);
    }
    for (int i = 0; i < 3; i++) {
        turn();
        answer_deferred();
        collect(fds[1], &out);
    }
    if (hang_up)
        close(fds[1]);
    turn();
    /* Whatever waits is past its time now. */
    for (int i = 0; i < 3; i++) {
        time_.mono_ns += 3600000000000;
        for (struct connection *c = loop->connections; c; c = c->next)
            connection_sweep(c);
        turn();
        answer_deferred();
        if (!hang_up)
            collect(fds[1], &out);
    }
    loop_kill_all(loop);
    turn();
    answer_deferred();
    if (!hang_up)
        close(fds[1]);
    check_output(&out);
    require(loop->n_connections == 0 && loop->live == NULL, "nothing is left");
    require(loop->body_held == 0 && atomic_load(&server.connections) == 0,
            "everything is given back");
}

/* --- the head alone --- */

static enum head_result feed(struct head *h, const uint8_t *data, size_t size, size_t piece,
                             size_t *taken)
{
    struct err e;
    enum head_result result = HEAD_MORE;
    head_reset(h);
    *taken = 0;
    while (result == HEAD_MORE && *taken < size) {
        size_t n = size - *taken < piece ? size - *taken : piece, used;
        result = head_feed(h, (const char *)data + *taken, n, &used, &e);
        *taken += used;
    }
    return result;
}

static void compare_cuts(const uint8_t *data, size_t size, size_t piece)
{
    struct head whole, cut;
    size_t whole_taken, cut_taken;
    head_init(&whole, 512);
    head_init(&cut, 512);
    enum head_result a = feed(&whole, data, size, size, &whole_taken);
    enum head_result b = feed(&cut, data, size, piece, &cut_taken);
    require(a == b, "the same bytes give the same result");
    if (a == HEAD_DONE) {
        require(whole_taken == cut_taken, "the same bytes are used");
        require(whole.n_fields == cut.n_fields && whole.framing == cut.framing &&
                    whole.content_length == cut.content_length &&
                    strcmp(whole.target, cut.target) == 0,
                "the same request is seen");
        require(!memchr(whole.target, 0, whole.target_len), "no NUL in a target");
    }
    head_release(&whole);
    head_release(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!loop)
        set_up();
    if (size < 2 || size > 4096)
        return 0;
    size_t piece = data[0] % 4 == 0 ? size : data[0]; /* often all at once */
    compare_cuts(data + 1, size - 1, piece ? piece : 1);
    run_connection(data + 1, size - 1, piece ? piece : 1, data[0] & 0x40);
    return 0;
}
