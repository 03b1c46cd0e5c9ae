/* Whose turn it is. Nothing here looks at a clock: handlers themselves send the request of another
 * client, so that it is known after how many others it was served. */
#include "fixture.h"

#include "http/connection.h"
#include "http/guard.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/event.h>
#include <sched.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define NOISY     16
#define AHEAD     80 /* requests that a noisy client sends in one piece */

static struct {
    atomic_int served;   /* of the noisy */
    atomic_int at, from; /* the quiet one asks when so many are served; and was served at */
    atomic_int quiet_fd;
    atomic_uint spin_us, again_us;
    atomic_int again[64]; /* who asks again and again */
    atomic_bool stop;
    atomic_int processors;          /* that the loop asked may run on */
    atomic_int torn_then, torn_now; /* priorities of the event that reads */
} scene;

static void spin(unsigned us)
{
    int64_t end = clock_mono_ns(&CLOCK_SYSTEM) + us * 1000;
    while (clock_mono_ns(&CLOCK_SYSTEM) < end)
        ;
}

static void handle_noisy(struct request *rq)
{
    spin(scene.spin_us);
    if (atomic_fetch_add(&scene.served, 1) + 1 == scene.at)
        say(scene.quiet_fd, GET("/quiet"));
    request_reply(rq, 200, NULL, "{}", 2);
}

static void handle_quiet(struct request *rq)
{
    scene.from = atomic_load(&scene.served);
    request_reply(rq, 200, NULL, "{}", 2);
}

/* Uses little at a time, and has the next request under way before it answers this one. */
static void handle_again(struct request *rq)
{
    static const char text[] = "GET /again/00 HTTP/1.1\r\nHost: x\r\n\r\n";
    char next[sizeof text];
    const char *id = request_param(rq, "id");
    memcpy(next, text, sizeof text);
    memcpy(next + 11, id, 2);
    spin(scene.again_us);
    if (!atomic_load(&scene.stop))
        send(scene.again[strtoul(id, NULL, 10)], next, sizeof text - 1,
             MSG_DONTWAIT | MSG_NOSIGNAL);
    request_reply(rq, 200, NULL, "{}", 2);
}

/* Becomes busy while its event that writes is about to run, which therefore keeps its place; and is
 * no longer busy then. */
static void handle_torn(struct request *rq)
{
    struct connection *c = rq->conn;
    c->used = (struct usage){clock_mono_ns(&CLOCK_SYSTEM) >> 26, INT64_C(1) << 40};
    event_active(&c->bev->ev_write, EV_WRITE, 0);
    fair_end(c);
    scene.torn_then = event_get_priority(c->readable);
    event_del(&c->bev->ev_write);
    c->used = (struct usage){0};
    fair_end(c);
    scene.torn_now = event_get_priority(c->readable);
    request_reply(rq, 200, NULL, "{}", 2);
}

/* Takes a good share of a processor, and tells on how many its loop may run. */
static void handle_where(struct request *rq)
{
    cpu_set_t may;
    spin(100 * 1000);
    sched_getaffinity(0, sizeof may, &may);
    scene.processors = CPU_COUNT(&may);
    request_reply(rq, 200, NULL, "{}", 2);
}

static const struct route FAIR_ROUTES[] = {
    {METHOD_GET, "/where", "where", handle_where, .flags = ROUTE_PUBLIC},
    {METHOD_GET, "/noisy", "noisy", handle_noisy, .flags = ROUTE_PUBLIC},
    {METHOD_GET, "/quiet", "quiet", handle_quiet, .flags = ROUTE_PUBLIC},
    {METHOD_GET, "/again/{id}", "again", handle_again, .flags = ROUTE_PUBLIC},
    {METHOD_GET, "/torn", "torn", handle_torn, .flags = ROUTE_PUBLIC},
    {.path = NULL},
};

static bool name_tenant(struct request *rq, struct err *e)
{
    const char *tenant = request_header(rq, "Tenant");
    return request_rate(rq, tenant ? tenant : "quiet", 0, 0, e);
}

static struct http_server *begin(bool tenants)
{
    memset(&scene, 0, sizeof scene);
    scene.spin_us = 100;
    scene.again_us = 50;
    return serve((struct http_config){
        .routes = FAIR_ROUTES, .threads = 1, .authorize = tenants ? name_tenant : NULL});
}

static void send_ahead(int fd, const char *text)
{
    for (int i = 0; i < AHEAD; i++)
        say(fd, text);
}

static uint64_t open_connections(struct http_server *s)
{
    struct http_stats stats;
    http_stats(s, &stats);
    return stats.open_connections;
}

/* Noisy clients with pipelined requests; then a quiet one. */
static void test_quiet_comes_first(void **state)
{
    (void)state;
    struct http_server *s = begin(false);
    int fds[NOISY];
    scene.quiet_fd = dial(s);
    say(scene.quiet_fd, GET("/quiet"));
    assert_int_equal(hear(scene.quiet_fd, NULL), 200);
    scene.at = NOISY * AHEAD / 2; /* long after it is known who is noisy */
    for (int i = 0; i < NOISY; i++)
        send_ahead(fds[i] = dial(s), GET("/noisy"));
    assert_int_equal(hear(scene.quiet_fd, NULL), 200);
    /* The visit under way ends, and perhaps one more begun in the same turn. */
    assert_in_range(scene.from, scene.at, scene.at + 70);
    for (int i = 0; i < NOISY; i++) /* and the noisy get all their answers, in the end */
        for (int k = 0; k < AHEAD; k++)
            assert_int_equal(hear(fds[i], NULL), 200);
    for (int i = 0; i < NOISY; i++)
        close(fds[i]);
    close(scene.quiet_fd);
    end(s);
}

/* One tenant with many connections, each of which does little: they are noisy together. */
static void test_tenants(void **state)
{
    (void)state;
    static int fds[100];
    struct http_server *s = begin(true);
    scene.quiet_fd = dial(s);
    say(scene.quiet_fd, GET("/quiet"));
    assert_int_equal(hear(scene.quiet_fd, NULL), 200);
    scene.at = 150;
    scene.spin_us = 900; /* of one connection that is not much */
    for (int i = 0; i < 100; i++)
        fds[i] = dial(s);
    for (int k = 0; k < 2; k++) { /* the first round shows whose they are */
        for (int i = 0; i < 100; i++)
            say(fds[i], "GET /noisy HTTP/1.1\r\nHost: x\r\nTenant: noisy\r\n\r\n");
        for (int i = 0; i < 100; i++)
            assert_int_equal(hear(fds[i], NULL), 200);
    }
    assert_int_equal(hear(scene.quiet_fd, NULL), 200);
    assert_in_range(scene.from, scene.at, scene.at + 10);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    close(scene.quiet_fd);
    end(s);
}

/* `n` clients fill the loop by themselves, each with a request of `us` after the other: a busy one
 * is served all the same. */
static void busy_is_served(int n, unsigned us, int times)
{
    struct http_server *s = begin(false);
    scene.again_us = us;
    char text[64], drop[4096];
    int busy = dial(s);
    for (int i = 0; i < AHEAD; i++)
        say(busy, GET("/noisy"));
    for (int i = 0; i < AHEAD; i++)
        assert_int_equal(hear(busy, NULL), 200);
    for (int i = 0; i < n; i++)
        scene.again[i] = dial(s);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "GET /again/%02d HTTP/1.1\r\nHost: x\r\n\r\n", i);
        say(scene.again[i], text);
    }
    struct pollfd p = {.fd = busy, .events = POLLIN};
    for (int replies = 0; replies < times; replies++) {
        say(busy, GET("/noisy"));
        for (int ms = 0; ms < 30000 && poll(&p, 1, 1) == 0; ms++)
            for (int i = 0; i < n; i++)
                while (recv(scene.again[i], drop, sizeof drop, MSG_DONTWAIT) > 0)
                    ;
        assert_int_equal(hear(busy, NULL), 200);
    }
    atomic_store(&scene.stop, true);
    end(s);
    for (int i = 0; i < n; i++)
        close(scene.again[i]);
    close(busy);
}

/* They use little. */
static void test_busy_do_not_starve(void **state)
{
    (void)state;
    busy_is_served(64, 50, 10);
}

/* Each request takes longer than anybody should wait, and is counted for less. */
static void test_slow_ones_starve_nobody(void **state)
{
    (void)state;
    busy_is_served(3, 60000, 6);
}

/* Busy clients whose input is full: each gets all its answers, and the loop's
 * turns come to an end. */
static void test_busy_and_full(void **state)
{
    (void)state;
    struct http_server *s = begin(false);
    char text[1100];
    int fds[NOISY];
    snprintf(text, sizeof text, "GET /noisy HTTP/1.1\r\nHost: x\r\nPad: %01000d\r\n\r\n", 0);
    for (int i = 0; i < NOISY; i++)
        fds[i] = dial(s);
    for (int i = 0; i < NOISY; i++)
        send_ahead(fds[i], text); /* five times what is kept of it */
    for (int i = 0; i < NOISY; i++)
        for (int k = 0; k < AHEAD; k++)
            assert_int_equal(hear(fds[i], NULL), 200);
    for (int i = 0; i < NOISY; i++)
        close(fds[i]);
    UNTIL(open_connections(s) == 0);
    end(s);
}

/* A client says that nothing more comes while what came waits for its turn: all of it is answered.
 */
static void test_ended_in_turn(void **state)
{
    (void)state;
    struct http_server *s = begin(false);
    int fd = dial(s);
    send_ahead(fd, GET("/noisy"));
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < AHEAD; i++)
        assert_int_equal(hear(fd, NULL), 200);
    UNTIL(open_connections(s) == 0);
    close(fd);
    end(s);
}

/* A connection's events have one priority: what could be set of one only is taken back. */
static void test_priorities_stay_together(void **state)
{
    (void)state;
    struct http_server *s = begin(false);
    int fd = dial(s);
    say(fd, GET("/torn"));
    assert_int_equal(hear(fd, NULL), 200);
    assert_int_equal(scene.torn_then, FAIR_LATER);
    assert_int_equal(scene.torn_now, FAIR_FIRST);
    close(fd);
    end(s);
}

/* Else the kernel may leave two of them on one processor, where a quiet tenant waits for both. */
static void test_busy_loops_stand_apart(void **state)
{
    (void)state;
    cpu_set_t ours;
    assert_int_equal(sched_getaffinity(0, sizeof ours, &ours), 0);
    if (CPU_COUNT(&ours) < 2)
        skip();
    memset(&scene, 0, sizeof scene);
    struct http_server *s = serve((struct http_config){
        .routes = FAIR_ROUTES, .threads = (unsigned)CPU_COUNT(&ours), .authorize = name_tenant});
    int fd = dial(s);
    /* Three are enough, to be known, to be busy and to be seen; unless others take all time. */
    for (int i = 0; i < 50 && (i == 0 || scene.processors != 1); i++) {
        say(fd, "GET /where HTTP/1.1\r\nHost: x\r\nTenant: busy\r\n\r\n");
        assert_int_equal(hear(fd, NULL), 200);
        say(fd, GET("/quiet"));
        assert_int_equal(hear(fd, NULL), 200);
        assert_true(i || scene.processors == CPU_COUNT(&ours));
    }
    assert_int_equal(scene.processors, 1);
    close(fd);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_comes_first),
        cmocka_unit_test(test_tenants),
        cmocka_unit_test(test_busy_loops_stand_apart),
        cmocka_unit_test(test_busy_and_full),
        cmocka_unit_test(test_ended_in_turn),
        cmocka_unit_test(test_priorities_stay_together),
        cmocka_unit_test(test_busy_do_not_starve),
        cmocka_unit_test(test_slow_ones_starve_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
