/* The server as a whole: start, several loops, counters, the access log, the end. */
#include "fixture.h"

#include "base/json.h"
#include "base/log.h"

#include <netinet/in.h>
#include <pthread.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void not_started(struct http_config config, const char *part)
{
    struct err e;
    config.clock = &CLOCK_SYSTEM;
    config.routes = config.routes ? config.routes : ROUTES;
    assert_null(http_start(&config, &e));
    if (!strstr(e.detail, part))
        fail_msg("no '%s' in: %s", part, e.detail);
}

static bool start_fails(struct loop *l, void *app, struct err *e)
{
    (void)app;
    return loop_index(l) != 1 || fail(e, &ERR_CONFIG, "loop %u will not", loop_index(l));
}

static void test_bad_start(void **state)
{
    (void)state;
    not_started((struct http_config){.listen = "127.0.0.1"}, "host:port");
    not_started((struct http_config){.listen = "127.0.0.1:"}, "port");
    not_started((struct http_config){.listen = "127.0.0.1:65536"}, "port");
    not_started((struct http_config){.listen = "127.0.0.1:1x"}, "port");
    not_started((struct http_config){.listen = ":80"}, "host");
    not_started((struct http_config){.listen = "192.0.2.1:0"}, "cannot listen on 192.0.2.1:0");
    static const struct route bad[] = {{METHOD_GET, "/a", "a", handle_echo, .flags = 0},
                                       {.path = NULL}};
    not_started((struct http_config){.listen = "127.0.0.1:0", .routes = bad}, "action");
    not_started(
        (struct http_config){.listen = "127.0.0.1:0", .threads = 3, .loop_start = start_fails},
        "loop 1 will not");
}

/* Loops of one server share their port, servers do not: half of what is asked would be asked of the
 * other. When it has ended the port is free at once, connections that were there notwithstanding.
 */
static void test_taken_port(void **state)
{
    (void)state;
    struct err e;
    char listen[32];
    struct http_server *s = serve((struct http_config){.threads = 2});
    int fd = dial(s);
    say(fd, GET("/things/1"));
    assert_int_equal(hear(fd, NULL), 200);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", http_port(s));
    struct http_config second = {
        .listen = listen, .routes = ROUTES, .clock = &CLOCK_SYSTEM, .threads = 2};
    not_started(second, "Address already in use");
    snprintf(listen, sizeof listen, "0.0.0.0:%u", http_port(s));
    not_started(second, "Address already in use");
    snprintf(listen, sizeof listen, "127.0.0.1:%u", http_port(s));
    end(s); /* it closes the connection, which waits then */
    close(fd);
    s = http_start(&second, &e);
    assert_non_null(s);
    http_drain(s, 1000);
    http_free(s);
}

/* --- several loops --- */

static struct {
    atomic_int started, stopped, ticks;
} hooks;

static bool on_start(struct loop *l, void *app, struct err *e)
{
    (void)e;
    assert_string_equal(app, "app");
    atomic_fetch_add(&hooks.started, 1);
    loop_set_state(l, &hooks);
    return loop_base(l) != NULL;
}

static void on_stop(struct loop *l, void *app)
{
    (void)app;
    assert_ptr_equal(loop_state(l), &hooks);
    atomic_fetch_add(&hooks.stopped, 1);
}

static void on_tick(struct loop *l, void *app)
{
    (void)app;
    assert_true(llabs(loop_wall_ms(l) - clock_wall_ms(&CLOCK_SYSTEM)) < 1000);
    atomic_fetch_add(&hooks.ticks, 1);
}

static void test_loops(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){
        .threads = 3, .app = "app", .loop_start = on_start, .loop_stop = on_stop, .tick = on_tick});
    assert_int_equal(http_loops(s), 3);
    assert_int_equal(atomic_load(&hooks.started), 3);
    assert_string_equal(http_address(s), "127.0.0.1");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(loop_index(http_loop(s, i)), i);
    int fds[60];
    for (int i = 0; i < 60; i++) {
        fds[i] = dial(s);
        say(fds[i], GET("/later"));
    }
    for (int i = 0; i < 60; i++) {
        assert_int_equal(hear(fds[i], NULL), 200);
        close(fds[i]);
    }
    UNTIL(atomic_load(&hooks.ticks) >= 3);
    end(s);
    assert_int_equal(atomic_load(&hooks.stopped), 3);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct err e;
    struct http_config config = {
        .listen = "[::1]:0", .routes = ROUTES, .clock = &CLOCK_SYSTEM, .threads = 2};
    struct http_server *s = http_start(&config, &e);
    if (!s) /* a machine without it */
        return;
    assert_string_equal(http_address(s), "::1");
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)http_port(s))};
    to.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    say(fd, GET("/things/1"));
    assert_int_equal(hear(fd, NULL), 200);
    close(fd);
    http_drain(s, 1000);
    http_free(s);
}

/* --- counters --- */

static const struct http_route_stats *of(const struct http_route_stats *all, size_t n,
                                         const char *operation)
{
    for (size_t i = 0; i < n; i++)
        if (operation ? all[i].route && strcmp(all[i].route->operation, operation) == 0
                      : !all[i].route)
            return &all[i];
    return NULL;
}

static uint64_t by_status(const struct http_route_stats *r, int status)
{
    for (size_t i = 0; i < HTTP_STATUS_COUNT; i++)
        if (HTTP_STATUSES[i] == status)
            return r->by_status[i];
    return 0;
}

static void test_counters(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 2});
    for (int i = 0; i < 5; i++)
        ask(s, GET("/things/1"), NULL);
    ask(s, GET("/things/1?x=1"), NULL);
    ask(s, GET("/nope"), NULL);
    ask(s, "junk\r\n\r\n", NULL);
    ask(s, GET("/fail/418"), NULL);
    struct http_route_stats all[64];
    size_t n = http_route_stats(s, all, 64);
    assert_int_equal(n, sizeof ROUTES / sizeof *ROUTES);
    const struct http_route_stats *get = of(all, n, "get");
    assert_int_equal(get->count, 6);
    assert_int_equal(by_status(get, 200), 5);
    assert_int_equal(by_status(get, 400), 1);
    assert_int_equal(get->seconds_le[HTTP_BUCKET_COUNT - 1], 6);
    assert_true(get->seconds_sum > 0 && get->seconds_sum < 5);
    assert_int_equal(by_status(of(all, n, NULL), 404), 1);
    assert_int_equal(by_status(of(all, n, NULL), 400), 1);
    assert_int_equal(by_status(of(all, n, "fail"), 0),
                     1); /* a status without a counter of its own */
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    assert_int_equal(stats.accepted, 9);
    assert_true(stats.bytes_in > 200 && stats.bytes_out > 1000);
    end(s);
}

/* --- the access log --- */

/* The n-th line of the log as an object; the file is read to its end. */
static json_t *log_line(const char *path, size_t n)
{
    FILE *f = fopen(path, "r");
    char line[4096];
    json_t *found = NULL;
    while (f && fgets(line, sizeof line, f)) {
        struct err e;
        json_t *entry = json_read(line, strlen(line), &e);
        if (!entry)
            fail_msg("not JSON: %s", line);
        if (n-- == 0)
            found = entry;
        else
            json_decref(entry);
    }
    if (f)
        fclose(f);
    return found;
}

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static void test_access_log(void **state)
{
    (void)state;
    char path[] = "/tmp/paddock-access-XXXXXX";
    struct err e;
    close(mkstemp(path));
    assert_true(log_open(path, LOG_INFO, &e));
    struct http_server *s = serve((struct http_config){.threads = 1, .access_log = true});
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    char text[512];
    snprintf(text, sizeof text,
             "GET /things/a\"b?q=token HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\"1\r\ntraceparent: "
             "%s\r\n\r\n",
             trace);
    ask(s, text, NULL);
    ask(s, "GET /fail/500 HTTP/1.1\r\nHost: x\r\ntraceparent: 00-0-0-0\r\n\r\n", NULL);
    ask(s, "\x01", NULL);
    end(s);
    log_close();
    json_t *line = log_line(path, 0);
    assert_string_equal(text_of(line, "level"), "info");
    assert_string_equal(text_of(line, "event"), "request");
    assert_string_equal(text_of(line, "request_id"), "r\"1");
    assert_string_equal(text_of(line, "traceparent"), trace);
    assert_string_equal(text_of(line, "method"), "GET");
    assert_string_equal(text_of(line, "route"), "/things/{id}");
    assert_string_equal(text_of(line, "path"), "/things/a\"b"); /* no query: it may hold secrets */
    assert_string_equal(text_of(line, "actor"), "anonymous");
    assert_string_equal(text_of(line, "peer"), "127.0.0.1");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_in_range(json_integer_value(json_object_get(line, "duration_us")), 0, 1000000);
    assert_in_range(json_integer_value(json_object_get(line, "bytes")), 40, 60);
    int64_t at;
    assert_true(time_parse(text_of(line, "time"), strlen(text_of(line, "time")), &at));
    json_decref(line);
    line = log_line(path, 1);
    assert_string_equal(text_of(line, "level"), "error");
    assert_null(text_of(line, "traceparent"));
    json_decref(line);
    line = log_line(path, 2);
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 400);
    assert_null(text_of(line, "method"));
    json_decref(line);
    assert_null(log_line(path, 3));
    unlink(path);
}

/* --- the end --- */

static void *release_later(void *arg)
{
    usleep(300000);
    release_waiting();
    return arg;
}

/* What was accepted is finished; idle connections end; nothing new is taken. */
static void test_drain(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 2});
    int idle = dial(s), busy = dial(s);
    say(idle, GET("/things/1"));
    assert_int_equal(hear(idle, NULL), 200);
    say(busy, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, release_later, NULL);
    int64_t from = now_ms();
    http_drain(s, 5000);
    assert_in_range(now_ms() - from, 250, 4000);
    pthread_join(thread, NULL);
    struct client_reply reply;
    assert_true(client_read(busy, false, &reply));
    assert_int_equal(reply.status, 200);
    assert_true(reply.closed);
    client_reply_release(&reply);
    assert_true(hangs_up(idle, 100));
    assert_int_equal(client_connect(http_port(s)), -1);
    close(idle);
    close(busy);
    end(s);
}

/* The grace ends; an answer that comes later still ends its request. */
static void test_grace_ends(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 1});
    int fd = dial(s);
    say(fd, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    int64_t from = now_ms();
    http_drain(s, 100);
    assert_in_range(now_ms() - from, 100, 3000);
    assert_true(hangs_up(fd, 100));
    release_waiting();
    UNTIL(atomic_load(&seen.replies) == 1);
    close(fd);
    end(s);
}

/* Freed at once, with a request that nobody answers: nothing leaks, nothing hangs. */
static void test_free_at_once(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.threads = 2});
    int fd = dial(s);
    say(fd, GET("/wait"));
    UNTIL(atomic_load(&seen.waiting) != NULL);
    pool_stop(seen.pool);
    http_free(s);
    assert_true(hangs_up(fd, 100));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_start),    cmocka_unit_test(test_taken_port),
        cmocka_unit_test(test_loops),        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_counters),     cmocka_unit_test(test_access_log),
        cmocka_unit_test(test_drain),        cmocka_unit_test(test_grace_ends),
        cmocka_unit_test(test_free_at_once),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
