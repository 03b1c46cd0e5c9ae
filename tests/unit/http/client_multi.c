/* An answer is its status and headers, whatever its body does. */
#include "support/unit.h"

#include "base/clock.h"
#include "http/client_multi.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A receiver of one connection: reads a request, says `says`, then `more` bytes, and, if told to,
 * keeps quiet until the other side hangs up. */
struct receiver {
    const char *says;
    size_t more;
    bool stays;
    int listener;
    pthread_t thread;
};

static void *receive(void *arg)
{
    const struct receiver *r = arg;
    char part[4096] = "";
    int fd = accept(r->listener, NULL, NULL);
    bool ok = fd >= 0 && recv(fd, part, sizeof part, 0) > 0 &&
              send(fd, r->says, strlen(r->says), MSG_NOSIGNAL) > 0;
    memset(part, 'x', sizeof part);
    for (size_t sent = 0; ok && sent < r->more; sent += sizeof part)
        ok = send(fd, part, sizeof part, MSG_NOSIGNAL) > 0;
    if (!r->stays)
        shutdown(fd, SHUT_WR);
    while (ok && recv(fd, part, sizeof part, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void note(void *ctx, const struct http_outcome *o)
{
    *(struct http_outcome *)ctx = *o;
    ((struct http_outcome *)ctx)->took_ms = 1; /* it has come */
}

/* What came of a call to it, and after how many milliseconds. */
static int64_t outcome(struct receiver *r, unsigned timeout_ms, struct http_outcome *o)
{
    struct err e = {0};
    char url[64];
    int quiet[2];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(r->listener, 1), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(pipe(quiet), 0);
    struct http_multi *m = http_multi_open(true, &e);
    assert_non_null(m);
    assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(a.sin_port));
    const struct http_call call = {
        .method = "POST", .url = url, .body = "{}", .body_len = 2, .timeout_ms = timeout_ms};
    const int64_t start = clock_mono_ns(&CLOCK_SYSTEM);
    *o = (struct http_outcome){0};
    assert_true(http_multi_send(m, &call, note, o, &e));
    while (!o->took_ms)
        http_multi_wait(m, quiet[0], 20000);
    const int64_t took = (clock_mono_ns(&CLOCK_SYSTEM) - start) / 1000000;
    http_multi_close(m);
    pthread_join(r->thread, NULL);
    close(r->listener);
    close(quiet[0]);
    close(quiet[1]);
    return took;
}

static void a_long_body(void **state)
{
    (void)state;
    struct http_outcome o;
    struct receiver r = {.says = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n",
                         .more = 8 << 20};
    outcome(&r, 15000, &o);
    assert_string_equal(o.why, "");
    assert_int_equal(o.status, 200);
}

static void a_body_without_end(void **state)
{
    (void)state;
    struct http_outcome o;
    struct receiver r = {.says = "HTTP/1.1 100 Continue\r\n\r\n"
                                 "HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nabc",
                         .stays = true};
    assert_in_range(outcome(&r, 30000, &o), 900, 20000);
    assert_int_equal(o.status, 202);
}

static void a_body_cut_short(void **state)
{
    (void)state;
    struct http_outcome o;
    struct receiver r = {
        .says = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nabc"};
    outcome(&r, 15000, &o);
    assert_int_equal(o.status, 503);
    assert_int_equal(o.retry_after_s, 7);
}

/* Headers without end are no answer. */
static void no_answer(void **state)
{
    (void)state;
    struct http_outcome o;
    struct receiver r = {.says = "HTTP/1.1 200 OK\r\nA: b\r\n", .stays = true};
    outcome(&r, 1500, &o);
    assert_int_equal(o.status, 0);
    assert_string_not_equal(o.why, "");
    r = (struct receiver){.says = "HTTP/1.1 100 Continue\r\n\r\n", .stays = true};
    outcome(&r, 1500, &o);
    assert_int_equal(o.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_body),
        cmocka_unit_test(a_body_without_end),
        cmocka_unit_test(a_body_cut_short),
        cmocka_unit_test(no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
