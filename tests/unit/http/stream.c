/* Replies without a known length, and event streams. */
#include "fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* Read until `text` has come. */
static void await(int fd, const char *text)
{
    static char got[65536];
    size_t n = 0;
    got[0] = '\0';
    while (!strstr(got, text)) {
        ssize_t k = recv(fd, got + n, sizeof got - 1 - n, 0);
        if (k <= 0)
            fail_msg("no '%s' in: %s", text, got);
        n += (size_t)k;
        got[n] = '\0';
    }
}

static void test_export(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    struct client_reply r;
    char value[64];
    say(fd, GET("/export/3") GET("/export/20000"));
    assert_true(client_read(fd, false, &r));
    assert_int_equal(r.len, 3000);
    assert_true(client_header(&r, "Transfer-Encoding", value, sizeof value));
    assert_false(client_header(&r, "Content-Length", value, sizeof value));
    client_reply_release(&r);
    usleep(100000); /* let it fill up, and be woken when there is room again */
    size_t got = swallow(fd, "\r\n0\r\n\r\n");
    assert_in_range(got, 20000 * 1007,
                    20000 * 1007 + 500); /* rows with size and line ends, and a head */
    say(fd, GET("/things/1"));
    assert_int_equal(hear(fd, NULL), 200);
    close(fd);
    assert_int_equal(atomic_load(&seen.closed), 0);
    end(s);
}

static void test_old_client_and_head(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    struct client_reply r;
    int fd = dial(s);
    say(fd, "GET /export/500 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(client_read(fd, false, &r)); /* until the end of the connection */
    assert_int_equal(r.len, 500000);
    client_reply_release(&r);
    close(fd);
    fd = dial(s);
    say(fd,
        "HEAD /export/500 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /events HTTP/1.1\r\nHost: x\r\n\r\n" GET(
            "/things/1"));
    assert_true(client_read(fd, true, &r));
    assert_int_equal(r.status, 200);
    client_reply_release(&r);
    assert_true(client_read(fd, true, &r));
    assert_int_equal(r.status, 200);
    client_reply_release(&r);
    assert_int_equal(hear(fd, NULL), 200);
    assert_int_equal(atomic_load(&seen.closed), 1); /* the event stream's owner was told */
    close(fd);
    end(s);
}

/* An event stream outlives the idle timeout, and says so. */
static void test_heartbeat(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){
        .threads = 1, .heartbeat_ms = 100, .idle_timeout_ms = 50, .body_timeout_ms = 50});
    int fd = dial(s);
    say(fd, GET("/events"));
    await(fd, "data: 1\n\n");
    await(fd, "4\r\n: \n\n\r\n");
    await(fd, "4\r\n: \n\n\r\n");
    assert_int_equal(atomic_load(&seen.closed), 0);
    close(fd);
    UNTIL(atomic_load(&seen.closed) == 1);
    end(s);
}

/* A reader that stalls is cut at the bound; others are served on. */
static void test_stalled_stream(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, GET("/events?flood=true"));
    UNTIL(atomic_load(&seen.closed) == 1);
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    assert_serves(s);
    close(fd);
    end(s);
}

static void test_client_leaves(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, GET("/events"));
    await(fd, "data: 1\n\n");
    close(fd);
    UNTIL(atomic_load(&seen.closed) == 1);
    fd = dial(s);
    say(fd, GET("/export/1000000"));
    await(fd, "rrrr");
    close(fd);
    UNTIL(atomic_load(&seen.closed) == 2);
    end(s);
}

static void late_stream(struct mail *m)
{
    struct job *job = (struct job *)m;
    struct stream *t = request_stream(job->rq, 200, "text/event-stream");
    stream_listen(t, &STREAM_EVENTS, NULL);
    assert_false(stream_write(t, "x", 1));
    free(job);
}

/* A stream opened for a client that has left meanwhile is closed by itself. */
static void test_left_before(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    struct http_stats stats;
    int fd = dial(s);
    say(fd, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    close(fd);
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    struct job *job = malloc(sizeof *job);
    *job = (struct job){.mail.run = late_stream, .rq = atomic_load(&seen.waiting)};
    loop_post_answer(http_loop(s, 0), &job->mail);
    UNTIL(atomic_load(&seen.closed) == 1);
    end(s);
}

/* The end of the server is a clean end of the stream. */
static void test_drained(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, GET("/events"));
    await(fd, "data: 1\n\n");
    int64_t from = now_ms();
    http_drain(s, 5000);
    assert_true(now_ms() - from < 1500);
    assert_int_equal(atomic_load(&seen.closed), 1);
    await(fd, "0\r\n\r\n");
    assert_true(hangs_up(fd, 100));
    close(fd);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_export),        cmocka_unit_test(test_old_client_and_head),
        cmocka_unit_test(test_heartbeat),     cmocka_unit_test(test_stalled_stream),
        cmocka_unit_test(test_client_leaves), cmocka_unit_test(test_left_before),
        cmocka_unit_test(test_drained),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
