/* Clients that are slow, idle or do not read: each has a deadline. */
#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_slow_head(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .header_timeout_ms = 200});
    int fd = dial(s);
    const char *text = GET("/things/1");
    int64_t from = now_ms();
    char body[512] = "";
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (*text && poll(&p, 1, 20) == 0) /* 20 ms a byte: each read is in time, the whole is not */
        client_send(fd, text++, 1);
    assert_int_equal(hear(fd, body), 408);
    assert_non_null(strstr(body, "REQUEST_TIMEOUT"));
    assert_in_range(now_ms() - from, 200, 3000);
    shutdown(fd, SHUT_WR);
    assert_true(hangs_up(fd, 2000));
    close(fd);
    end(s);
}

static void test_slow_body(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .body_timeout_ms = 200});
    int fd = dial(s);
    int64_t from = now_ms();
    say(fd, "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
            "1000\r\n\r\n");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, 20) == 0)
        client_send(fd, " ", 1);
    assert_int_equal(hear(fd, NULL), 408);
    assert_in_range(now_ms() - from, 200, 3000);
    close(fd);
    fd = dial(s); /* a handler that reads is told */
    say(fd, "POST /intake HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
            "1000\r\n\r\n ");
    assert_int_equal(hear(fd, NULL), 408);
    assert_int_equal(atomic_load(&seen.gone), 1);
    close(fd);
    end(s);
}

static void test_idle(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .idle_timeout_ms = 150});
    int fresh = dial(s), kept = dial(s);
    say(kept, GET("/things/1"));
    assert_int_equal(hear(kept, NULL), 200);
    int64_t from = now_ms();
    assert_true(hangs_up(fresh, 1000));
    assert_true(hangs_up(kept, 1000));
    assert_in_range(now_ms() - from, 50, 3000);
    /* A request under way is not idle. */
    int waiting = dial(s);
    say(waiting, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    assert_false(hangs_up(waiting, 400));
    release_waiting();
    assert_int_equal(hear(waiting, NULL), 200);
    close(fresh);
    close(kept);
    close(waiting);
    end(s);
}

static void test_stalled_reader(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1, .write_timeout_ms = 200});
    int fd = dial(s), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, GET("/size/20000000"));
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.accepted == 1 && stats.bytes_out > 1000));
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    close(fd);
    /* A slow one that does read is served. */
    fd = dial(s);
    say(fd, GET("/size/20000000"));
    static char piece[1 << 20];
    size_t total = 0;
    while (total < 20000000) {
        if (total < 10000000)
            usleep(40000);
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        assert_true(n > 0);
        total += (size_t)n;
    }
    close(fd);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_stalled_reader),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
