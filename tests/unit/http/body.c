/* Bodies: limits, chunked coding, the budget, handlers that read piece by piece. */
#include "fixture.h"

#define POST_JSON(path) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
#define CHUNKED         "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT            "GET /things/next HTTP/1.1\r\nHost: x\r\n\r\n"

/* Send `n` bytes of 'x'. False if the server stops taking them. */
static bool send_many(int fd, size_t n)
{
    static char piece[65536];
    memset(piece, 'x', sizeof piece);
    while (n) {
        size_t len = n < sizeof piece ? n : sizeof piece;
        if (!client_send(fd, piece, len))
            return false;
        n -= len;
    }
    return true;
}

static void test_chunked(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    char body[512];
    say(fd,
        POST_JSON("/things") CHUNKED "3\r\n[1,\r\n2;ext=1\r\n2]\r\n0\r\nTrailer: x\r\n\r\n" NEXT);
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"id\":\"\",\"q\":\"-\",\"len\":5,\"body\":\"[1,2]\"}");
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "next"));
    /* Byte by byte. */
    const char *text = POST_JSON("/things") CHUNKED "2\r\nab\r\n0\r\n\r\n";
    for (const char *p = text; *p; p++)
        assert_true(client_send(fd, p, 1));
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"len\":2"));
    /* As many chunks as bytes. */
    static char many[60000 * 6 + 8];
    for (size_t i = 0; i < 60000; i++)
        memcpy(many + 6 * i, "1\r\nx\r\n", 7);
    memcpy(many + sizeof many - 8, "0\r\n\r\n", 6);
    say(fd, POST_JSON("/things") CHUNKED);
    say(fd, many);
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"len\":60000"));
    close(fd);
    end(s);
}

static void test_limits(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_max = 1000});
    char body[512];
    int fd = dial(s); /* by its length, before it comes */
    say(fd, POST_JSON("/things") "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(hear(fd, body), 413);
    assert_non_null(strstr(body, "100000"));
    close(fd);
    fd = dial(s); /* while it comes */
    say(fd, POST_JSON("/things") CHUNKED "186a1\r\n");
    send_many(fd, 100001);
    assert_int_equal(hear(fd, body), 413);
    assert_true(hangs_up(fd, 2000) || shutdown(fd, SHUT_WR) == 0);
    close(fd);
    fd = dial(s); /* exactly as much as is taken */
    say(fd, POST_JSON("/things") "Content-Length: 100000\r\n\r\n");
    assert_true(send_many(fd, 100000));
    assert_int_equal(hear(fd, body), 200);
    say(fd, POST_JSON("/things") CHUNKED "186a0\r\n");
    assert_true(send_many(fd, 100000));
    say(fd, "\r\n0\r\n\r\n");
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"len\":100000"));
    /* The default of a route. */
    say(fd, "PUT /things/1 HTTP/1.1\r\nHost: x\r\nContent-Type: "
            "application/json\r\nContent-Length: 1001\r\n\r\n");
    assert_int_equal(hear(fd, body), 413);
    close(fd);
    assert_serves(s);
    end(s);
}

/* A small refused body is read to its end, and the connection goes on; a large one is not. */
static void test_refused_body(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, POST_JSON("/nope") "Content-Length: 5\r\n\r\n12345" NEXT);
    assert_int_equal(hear(fd, NULL), 404);
    assert_int_equal(hear(fd, NULL), 200);
    say(fd, POST_JSON("/nope") "Content-Length: 500000\r\n\r\n");
    assert_true(
        send_many(fd, 500000)); /* the answer is there to read although all was sent first */
    struct client_reply r;
    assert_true(client_read(fd, false, &r));
    assert_int_equal(r.status, 404);
    assert_true(r.closed);
    client_reply_release(&r);
    assert_true(hangs_up(fd, 2000));
    close(fd);
    end(s);
}

static void test_bad_chunks(void **state)
{
    (void)state;
    static const char *const bad[] = {"zz\r\n", "3\nabc\r\n", "3\r\nabcd\r\n",
                                      "3 \r\n", "3;\x01\r\n", "fffffffffffffffff\r\n"};
    struct http_server *s = serve((struct http_config){.threads = 1});
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = dial(s);
        say(fd, POST_JSON("/things") CHUNKED);
        say(fd, bad[i]);
        char body[512];
        assert_int_equal(hear(fd, body), 400);
        assert_non_null(strstr(body, "MALFORMED_REQUEST"));
        shutdown(fd, SHUT_WR);
        assert_true(hangs_up(fd, 2000));
        close(fd);
    }
    assert_int_equal(atomic_load(&seen.handled), 0);
    end(s);
}

static void test_large_body(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    char body[512];
    int fd = dial(s);
    say(fd, POST_JSON("/big") "Content-Length: 8388608\r\n\r\n");
    assert_true(send_many(fd, 8388608));
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"len\":8388608"));
    struct http_stats stats;
    http_stats(s, &stats);
    assert_int_equal(stats.body_bytes_in_flight, 0);
    assert_true(stats.bytes_in > 8388608);
    close(fd);
    end(s);
}

static void test_budget(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_budget = 200000});
    char body[512], value[16];
    int one = dial(s), two = dial(s);
    say(one, POST_JSON("/big") "Content-Length: 190000\r\n\r\n");
    assert_true(send_many(one, 180000));
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 180000);
    /* What does not fit any more is refused, with a time to come again. */
    say(two, POST_JSON("/big") "Content-Length: 60000\r\n\r\n");
    assert_true(send_many(two, 60000));
    struct client_reply r;
    assert_true(client_read(two, false, &r));
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "OVERLOADED"));
    assert_true(client_header(&r, "Retry-After", value, sizeof value));
    client_reply_release(&r);
    assert_true(send_many(one, 10000));
    assert_int_equal(hear(one, body), 200);
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 0);
    close(two);
    two = dial(s);
    say(two, POST_JSON("/big") "Content-Length: 60000\r\n\r\n");
    assert_true(send_many(two, 60000));
    assert_int_equal(hear(two, body), 200);
    /* What a client takes along when it leaves comes back. */
    say(one, POST_JSON("/big") "Content-Length: 190000\r\n\r\n");
    assert_true(send_many(one, 180000));
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 180000);
    close(one);
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 0);
    close(two);
    end(s);
}

/* --- read piece by piece --- */

/* They count against the budget like the others, until the reply. */
static void test_budget_of_pieces(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_budget = 200000});
    char body[512];
    int one = dial(s), two = dial(s);
    struct http_stats stats;
    struct client_reply r;
    say(one, POST_JSON("/intake") "Content-Length: 190000\r\n\r\n");
    assert_true(send_many(one, 180000));
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 180000);
    say(two, POST_JSON("/intake") CHUNKED "ea60\r\n");
    assert_true(send_many(two, 60000));
    assert_true(client_read(two, false, &r));
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "OVERLOADED"));
    client_reply_release(&r);
    UNTIL(atomic_load(&seen.gone) == 1);
    close(two);
    assert_true(send_many(one, 10000));
    assert_int_equal(hear(one, body), 200);
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 0);
    say(one, POST_JSON("/intake") "Content-Length: 190000\r\n\r\n");
    assert_true(send_many(one, 180000));
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 180000);
    close(one);
    UNTIL((http_stats(s, &stats), stats.body_bytes_in_flight) == 0);
    end(s);
}

static void test_pieces(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    char body[512];
    int fd = dial(s);
    say(fd, POST_JSON("/intake") "Content-Length: 3000000\r\n\r\n");
    assert_true(send_many(fd, 3000000));
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"received\":3000000}");
    say(fd, POST_JSON("/intake") CHUNKED "5\r\n12345\r\n1e8480\r\n");
    assert_true(send_many(fd, 2000000));
    say(fd, "\r\n0\r\n\r\n" NEXT);
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"received\":2000005}");
    assert_int_equal(hear(fd, body), 200);
    say(fd, "POST /intake HTTP/1.1\r\nHost: x\r\n\r\n" NEXT); /* nothing at all */
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"received\":0}");
    assert_int_equal(hear(fd, body), 200);
    say(fd, POST_JSON("/intake") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    char text[64] = "";
    assert_int_equal(recv(fd, text, 25, MSG_WAITALL), 25);
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "{}");
    assert_int_equal(hear(fd, body), 200);
    close(fd);
    assert_int_equal(atomic_load(&seen.gone), 0);
    end(s);
}

/* The handler answers at the first piece: the rest is dropped, the connection goes on. */
static void test_early_reply(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, POST_JSON("/intake?early=true") "Content-Length: 2000000\r\n\r\n");
    assert_true(send_many(fd, 2000000));
    say(fd, NEXT);
    assert_int_equal(hear(fd, NULL), 202);
    assert_int_equal(hear(fd, NULL), 200);
    say(fd, POST_JSON("/intake?early=true") CHUNKED "3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n" NEXT);
    assert_int_equal(hear(fd, NULL), 202);
    assert_int_equal(hear(fd, NULL), 200);
    /* But not past the limit of the route. */
    say(fd, POST_JSON("/intake?early=true") CHUNKED "7fffffff\r\n");
    send_many(fd, 8 << 20);
    assert_int_equal(hear(fd, NULL), 202);
    assert_true(hangs_up(fd, 5000));
    close(fd);
    assert_int_equal(atomic_load(&seen.gone), 0);
    end(s);
}

static void test_gone(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, POST_JSON("/intake") "Content-Length: 100\r\n\r\nabc");
    UNTIL(atomic_load(&seen.received) == 3);
    close(fd);
    UNTIL(atomic_load(&seen.gone) == 1);
    fd = dial(s); /* too large: the layer answers, the handler is told */
    say(fd, POST_JSON("/intake") CHUNKED "7fffffff\r\n");
    send_many(fd, 5 << 20);
    assert_int_equal(hear(fd, NULL), 413);
    UNTIL(atomic_load(&seen.gone) == 2);
    close(fd);
    fd = dial(s); /* malformed */
    say(fd, POST_JSON("/intake") CHUNKED "3\r\nabcd");
    assert_int_equal(hear(fd, NULL), 400);
    UNTIL(atomic_load(&seen.gone) == 3);
    close(fd);
    end(s);
}

static void go_on(struct mail *m)
{
    free(m);
    request_hold_body(atomic_load(&seen.waiting), false);
}

/* A handler that holds makes the client wait; memory stays bounded. */
static void test_hold(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_timeout_ms = 200});
    int fd = dial(s), small = 65536;
    char body[512];
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    atomic_store(&seen.hold, true);
    say(fd, POST_JSON("/intake") "Content-Length: 4000000\r\n\r\n");
    size_t sent = 0;
    static char piece[65536];
    for (struct pollfd p = {.fd = fd, .events = POLLOUT}; poll(&p, 1, 300) == 1;) {
        ssize_t n = send(fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        assert_true(sent < 4000000);
    }
    assert_true(atomic_load(&seen.received) <= 65536 + 4096);
    /* It waited longer than the body timeout, but by our doing. */
    atomic_store(&seen.hold, false);
    struct mail *m = malloc(sizeof *m);
    *m = (struct mail){.run = go_on};
    loop_post_answer(http_loop(s, 0), m);
    assert_true(send_many(fd, 4000000 - sent));
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"received\":4000000}");
    close(fd);
    end(s);
}

/* The client's time stands still while it is the handler that waits. */
static void test_hold_stops_the_clock(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_timeout_ms = 500});
    int fd = dial(s);
    atomic_store(&seen.hold, true);
    say(fd, POST_JSON("/intake") "Content-Length: 8\r\n\r\n1234");
    UNTIL(atomic_load(&seen.received) == 4);
    usleep(700000);
    atomic_store(&seen.hold, false);
    struct mail *m = malloc(sizeof *m);
    *m = (struct mail){.run = go_on};
    loop_post_answer(http_loop(s, 0), m);
    usleep(200000); /* long enough for a sweep to find it late */
    say(fd, "5678");
    assert_int_equal(hear(fd, NULL), 200);
    close(fd);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_refused_body),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_of_pieces),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_early_reply),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_hold_stops_the_clock),
    };
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
