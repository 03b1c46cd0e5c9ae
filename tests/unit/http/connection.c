/* Connections: order, keep-alive, and every kind of client that does not behave. */
#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_pipelining(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    char body[512];
    /* The second is answered by another thread; the order stays. */
    say(fd, GET("/things/1") GET("/later") GET("/things/3") GET("/nope") GET("/later")
                GET("/things/6"));
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"id\":\"1\""));
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"late\":true}");
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"id\":\"3\""));
    assert_int_equal(hear(fd, body), 404);
    assert_int_equal(hear(fd, body), 200);
    assert_string_equal(body, "{\"late\":true}");
    assert_int_equal(hear(fd, body), 200);
    assert_non_null(strstr(body, "\"id\":\"6\""));
    close(fd);
    end(s);
}

/* Only one request at a time: the next is not begun before the first is answered. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, GET("/wait") GET("/things/2"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    usleep(50000);
    assert_int_equal(atomic_load(&seen.handled), 1);
    release_waiting();
    assert_int_equal(hear(fd, NULL), 200);
    assert_int_equal(hear(fd, NULL), 200);
    assert_int_equal(atomic_load(&seen.handled), 2);
    close(fd);
    end(s);
}

/* A client that asks and does not read: at most the backlog is held for it. */
static void test_unread_pipeline(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    for (int i = 0; i < 400; i++)
        say(fd, GET("/size/100000"));
    usleep(300000);
    int begun = atomic_load(&seen.handled);
    assert_true(begun > 2 && begun < 200); /* the kernel holds some megabytes, we the backlog */
    assert_serves(s);
    for (int i = 0; i < 400; i++)
        assert_int_equal(hear(fd, NULL), 200);
    close(fd);
    end(s);
}

/* Answered in one turn and sent together: each gets its own, and who left meanwhile harms nobody.
 */
static void test_together(void **state)
{
    (void)state;
    enum { MANY = 40 };
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fds[MANY];
    char path[80], body[512];
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(s);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(path, sizeof path, GET("/things/%d"), i);
            say(fds[i], path);
            if (i % 7 == 3) {
                close(fds[i]);
                fds[i] = dial(s);
            }
        }
        for (int i = 0; i < MANY; i++) {
            if (i % 7 == 3)
                continue;
            snprintf(path, sizeof path, "\"id\":\"%d\"", i);
            assert_int_equal(hear(fds[i], body), 200);
            assert_non_null(strstr(body, path));
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    end(s);
}

static void test_keep_alive(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    struct client_reply r;
    char value[64];
    int fd = dial(s);
    say(fd, "GET /things/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(client_read(fd, false, &r));
    assert_true(client_header(&r, "Connection", value, sizeof value));
    assert_string_equal(value, "keep-alive");
    client_reply_release(&r);
    say(fd, "GET /things/1 HTTP/1.0\r\n\r\n");
    assert_true(client_read(fd, false, &r));
    assert_true(r.closed);
    client_reply_release(&r);
    assert_true(hangs_up(fd, 2000));
    close(fd);
    fd = dial(s); /* nothing after a close is answered */
    say(fd, "GET /things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET("/things/2"));
    assert_true(client_read(fd, false, &r));
    assert_true(r.closed);
    client_reply_release(&r);
    assert_true(hangs_up(fd, 2000));
    assert_int_equal(atomic_load(&seen.handled), 3);
    close(fd);
    end(s);
}

/* After a framing error the answer arrives and the connection ends, whatever follows. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: "
         "30\r\n\r\nabcd" GET("/things/s"),
         400},
        {"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length : 30\r\n\r\n" GET("/things/s"), 400},
        {"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n" GET("/things/s"),
         400},
        {"POST /things HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 30\r\n\r\n" GET("/things/s"),
         400},
        {"POST /things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, "
         "chunked\r\n\r\n0\r\n\r\n" GET("/things/s"),
         501},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\n\r\n" GET("/things/s"), 400},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
        {"\x80garbage\xff\xfe\r\n\r\n", 400},
    };
    struct http_server *s = serve((struct http_config){.threads = 1});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = dial(s);
        struct client_reply r;
        char type[64];
        say(fd, cases[i].text);
        assert_true(client_read(fd, false, &r));
        if (r.status != cases[i].status)
            fail_msg("want %d, got %d %s for %s", cases[i].status, r.status, r.body, cases[i].text);
        assert_true(r.closed);
        assert_non_null(strstr(r.body, "\"request_id\":\""));
        assert_true(client_header(&r, "Content-Type", type, sizeof type));
        assert_string_equal(type, "application/problem+json");
        client_reply_release(&r);
        assert_true(hangs_up(fd, 2000));
        close(fd);
    }
    assert_int_equal(atomic_load(&seen.handled), 0);
    assert_serves(s);
    end(s);
}

/* Megabytes of header: refused at the limit, and the client can read why. */
static void test_giant_head(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    static char big[200000];
    memset(big, 'a', sizeof big);
    int fd = dial(s);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    assert_true(client_send(fd, big, sizeof big));
    assert_int_equal(hear(fd, NULL), 431);
    shutdown(fd, SHUT_WR);
    assert_true(hangs_up(fd, 2000));
    close(fd);
    fd = dial(s);
    say(fd, "GET /");
    assert_true(client_send(fd, big, sizeof big));
    assert_int_equal(hear(fd, NULL), 414);
    close(fd);
    assert_serves(s);
    end(s);
}

/* --- clients that leave --- */

static void test_leaving(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    struct http_stats stats;
    int fd = dial(s);
    say(fd, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    close(fd);
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0); /* noticed at once */
    release_waiting();                                           /* and the reply is dropped */
    UNTIL(atomic_load(&seen.replies) == 1);
    assert_serves(s);
    /* Within a head, within a body. */
    fd = dial(s);
    say(fd, "GET /thi");
    close(fd);
    fd = dial(s);
    say(fd, "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
            "10\r\n\r\nabc");
    close(fd);
    /* With a reset instead of an end. */
    fd = dial(s);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    say(fd, GET("/size/5000000"));
    usleep(20000);
    close(fd);
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    assert_serves(s);
    end(s);
}

/* Half of a thousand requests to other threads lose their client meanwhile. */
static void test_leaving_often(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 2});
    for (int i = 0; i < 500; i++) {
        int one = dial(s), two = dial(s);
        say(one, GET("/later"));
        say(two, GET("/later"));
        close(one);
        assert_int_equal(hear(two, NULL), 200);
        close(two);
    }
    UNTIL(atomic_load(&seen.replies) == atomic_load(&seen.handled));
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    end(s);
}

/* A client that ends its side after asking still gets what was answered at once. */
static void test_half_closed(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, GET("/things/1") GET("/size/3000000"));
    shutdown(fd, SHUT_WR);
    struct client_reply r;
    assert_int_equal(hear(fd, NULL), 200);
    assert_true(client_read(fd, false, &r));
    assert_int_equal(r.len, 3000000);
    client_reply_release(&r);
    assert_true(hangs_up(fd, 2000));
    close(fd);
    end(s);
}

/* --- bounds --- */

/* Replies that nobody reads have a budget: past it large ones are refused, small ones are not. */
static void test_unread_replies(void **state)
{
    (void)state;
    enum { SLOW = 6 };
    struct http_server *s =
        serve((struct http_config){.threads = 1, .reply_budget = (size_t)32 << 20});
    int slow[SLOW], fd = dial(s);
    char body[512];
    for (int i = 0; i < SLOW; i++) {
        slow[i] = dial(s);
        say(slow[i], "GET /size/20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    /* The kernel's buffers take some megabytes of each; three at most are let in. */
    int refused = 0;
    for (int i = 0; i < SLOW; i++) {
        char head[12];
        assert_int_equal(recv(slow[i], head, sizeof head, MSG_WAITALL), sizeof head);
        refused += memcmp(head, "HTTP/1.1 503", sizeof head) == 0;
    }
    assert_in_range(refused, 3, 5);
    say(fd, "GET /size/20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(hear(fd, body), 503);
    assert_non_null(strstr(body, "OVERLOADED"));
    say(fd, "GET /size/1000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(hear(fd, NULL), 200);
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    usleep(100000);
    say(fd, "GET /size/20000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(hear(fd, NULL), 200);
    close(fd);
    end(s);
}

static void test_connection_cap(void **state)
{
    (void)state;
    struct http_server *s = serve(
        (struct http_config){.threads = 2, .connections_max = 10, .connections_per_address = 11});
    struct http_stats stats;
    int fds[10];
    for (int i = 0; i < 10; i++) {
        fds[i] = dial(s);
        say(fds[i], GET("/things/1"));
        assert_int_equal(hear(fds[i], NULL), 200);
    }
    int more = dial(s);
    char value[16];
    say(more, GET("/things/1"));
    struct client_reply r;
    assert_true(client_read(more, false, &r));
    assert_int_equal(r.status, 503);
    assert_true(r.closed);
    assert_true(client_header(&r, "Retry-After", value, sizeof value));
    assert_non_null(strstr(r.body, "OVERLOADED"));
    client_reply_release(&r);
    assert_true(hangs_up(more, 2000));
    close(more);
    say(fds[0], GET("/things/1")); /* those inside are served on */
    assert_int_equal(hear(fds[0], NULL), 200);
    close(fds[9]);
    http_stats(s, &stats);
    assert_int_equal(stats.refused_connections, 1);
    UNTIL((http_stats(s, &stats), stats.open_connections) == 9);
    assert_serves(s);
    for (int i = 0; i < 9; i++)
        close(fds[i]);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelining),      cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_unread_pipeline), cmocka_unit_test(test_together),
        cmocka_unit_test(test_keep_alive),      cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_giant_head),      cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_leaving_often),   cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_unread_replies),  cmocka_unit_test(test_connection_cap),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
