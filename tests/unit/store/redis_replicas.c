/* Which replicas a write waits for, behind a Sentinel. */
#include "support/client.h"
#include "support/redis.h"
#include "support/store_wait.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REPLICAS 2
#define REPLY_MS 1250
#define ALL_MS   490 /* two fifths of that, by two clocks */

static struct test_redis server, replica[REPLICAS];

static void rest(long ms)
{
    nanosleep(&(const struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- a Sentinel, as far as it is asked --- */

static struct {
    int fd;
    atomic_int at; /* who asks */
    unsigned port;
    pthread_t thread;
    atomic_int replicas; /* it knows */
    _Atomic(const char *)
        replacement; /* how far it is with replacing the master; NULL: it is not */
    atomic_int asked;
} sentinel;

static size_t answer(char *out, size_t size)
{
    const char *state = atomic_load(&sentinel.replacement);
    const char *flags = state ? "master,failover_in_progress" : "master";
    int n = snprintf(out, size,
                     "*%d\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n%05u\r\n"
                     "$5\r\nflags\r\n$%zu\r\n%s\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n"
                     "$10\r\nnum-slaves\r\n$1\r\n%d\r\n",
                     state ? 12 : 10, server.port, strlen(flags), flags,
                     atomic_load(&sentinel.replicas));
    if (state)
        n += snprintf(out + n, size - (size_t)n, "$14\r\nfailover-state\r\n$%zu\r\n%s\r\n",
                      strlen(state), state);
    return (size_t)n;
}

static void *answer_all(void *arg)
{
    char text[512], got[512];
    (void)arg;
    for (int fd; (fd = accept(sentinel.fd, NULL, NULL)) >= 0; close(fd)) {
        atomic_store(&sentinel.at, fd);
        while (recv(fd, got, sizeof got, 0) > 0) {
            atomic_fetch_add(&sentinel.asked, 1);
            if (!client_send(fd, text, answer(text, sizeof text)))
                break;
        }
    }
    return NULL;
}

static bool sentinel_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    sentinel.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = sentinel.fd >= 0 && bind(sentinel.fd, (struct sockaddr *)&a, len) == 0 &&
              listen(sentinel.fd, 8) == 0 &&
              getsockname(sentinel.fd, (struct sockaddr *)&a, &len) == 0 &&
              pthread_create(&sentinel.thread, NULL, answer_all, NULL) == 0;
    sentinel.port = ntohs(a.sin_port);
    return ok;
}

static void sentinel_stop(void)
{
    shutdown(sentinel.fd, SHUT_RDWR);
    shutdown(atomic_load(&sentinel.at), SHUT_RDWR);
    pthread_join(sentinel.thread, NULL);
    close(sentinel.fd);
}

/* --- a master and its replicas --- */

static bool follows(const struct test_redis *r)
{
    char text[4096], port[32];
    snprintf(port, sizeof port, "port=%u,state=online", r->port);
    return test_redis_ask(&server, "INFO replication", text, sizeof text) && strstr(text, port);
}

static int start_all(void **state)
{
    static char port[16];
    static const char *args[] = {"--replicaof", "127.0.0.1", port, NULL};
    static const char *const AT_ONCE[] = {"--repl-diskless-sync-delay", "0", NULL};
    (void)state;
    server.args = AT_ONCE;
    if (!test_redis_start(&server) || !sentinel_start())
        return -1;
    snprintf(port, sizeof port, "%u", server.port);
    for (int i = 0; i < REPLICAS; i++) {
        replica[i].args = args;
        if (!test_redis_start(&replica[i]))
            return -1;
        for (int n = 0; n < 3000 && !follows(&replica[i]); n++)
            rest(10);
    }
    return test_redis_say(&server, "SET a 1\r\nWAIT 2 30000", "+OK\r\n:2") ? 0 : -1;
}

static int stop_all(void **state)
{
    (void)state;
    sentinel_stop();
    return 0;
}

/* `others`: Sentinels beside ours, each with a comma in front of it. */
static struct store *open_store_with(const char *others)
{
    char url[128];
    struct err e = {0};
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%u%s/main", sentinel.port, others);
    const struct redis_settings settings = {.url = url, .node = "one", .reply_ms = REPLY_MS};
    struct store *s = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("cannot open: %s", e.detail);
    return s;
}

static struct store *open_store(void)
{
    return open_store_with("");
}

/* How long a write took, ms; -1: it failed. */
static int64_t put(struct store *s, struct key_request *k)
{
    static const int64_t NEVER = (int64_t)1 << 52;
    *k = (struct key_request){.op = KEY_ADD, .key = {"sum", NULL, 0, NEVER}, .amount = 1};
    int64_t begun = clock_mono_ns(&CLOCK_SYSTEM);
    return wait_key(s, k) ? (clock_mono_ns(&CLOCK_SYSTEM) - begun) / 1000000 : -1;
}

/* One replica is enough; but the other is waited for as long as it keeps up: when it hangs that
 * lasts some time once, and then again only after it has caught up. */
static void a_write_waits_for_all_that_keep_up(void **state)
{
    enum { MANY = 20 };
    struct key_request k;
    int64_t took, all = 0;
    (void)state;
    struct store *s = open_store();
    assert_true(put(s, &k) >= 0);
    test_redis_signal(&replica[1], SIGSTOP);
    assert_true(put(s, &k) >= ALL_MS);
    for (int i = 0; i < MANY; i++) {
        took = put(s, &k);
        assert_true(took >= 0);
        all += took;
    }
    assert_in_range(all, 0, MANY * ALL_MS / 2);
    for (int i = 0; i < 300; i++) {
        test_redis_signal(&replica[1], SIGCONT);
        rest(100);
        assert_true(put(s, &k) >= 0);
        test_redis_signal(&replica[1], SIGSTOP);
        took = put(s, &k);
        if (took >= ALL_MS)
            break;
    }
    assert_true(took >= ALL_MS);
    test_redis_signal(&replica[1], SIGCONT);
    s->ops->close(s);
}

static void a_write_that_none_has_is_not_done(void **state)
{
    struct key_request k;
    (void)state;
    struct store *s = open_store();
    assert_true(put(s, &k) >= 0);
    for (int i = 0; i < REPLICAS; i++)
        test_redis_signal(&replica[i], SIGSTOP);
    assert_true(put(s, &k) < 0);
    assert_non_null(strstr(k.err.detail, "0 of 1 replicas had it after 250 ms"));
    for (int i = 0; i < REPLICAS; i++)
        test_redis_signal(&replica[i], SIGCONT);
    s->ops->close(s);
}

/* A replica that is promoted does not have what the other has confirmed: whoever is about to
 * promote one is asked for, after that. As long as both have it nobody is. */
static void what_not_all_have_is_done_only_by_a_master_that_stands(void **state)
{
    struct key_request k;
    (void)state;
    struct store *s = open_store();
    atomic_store(&sentinel.replicas, REPLICAS);
    rest(600); /* Sentinels are asked twice a second */
    atomic_store(&sentinel.replacement, "wait_promotion");
    assert_true(put(s, &k) >= 0);
    atomic_store(&sentinel.replacement, NULL);
    test_redis_signal(&replica[1], SIGSTOP);
    assert_true(put(s, &k) >= ALL_MS);
    const int asked = atomic_load(&sentinel.asked);
    for (int i = 0; i < 20; i++)
        assert_true(put(s, &k) >= 0);
    assert_true(atomic_load(&sentinel.asked) >= asked + 20);
    atomic_store(&sentinel.replacement, "wait_start"); /* it may still come to nothing */
    assert_true(put(s, &k) >= 0);
    atomic_store(&sentinel.replacement, "wait_promotion");
    assert_true(put(s, &k) < 0);
    assert_non_null(strstr(k.err.detail, "Sentinels do not stand by the master"));
    atomic_store(&sentinel.replacement, NULL);
    assert_true(put(s, &k) >= 0);
    atomic_store(&sentinel.replicas, 1); /* as it was: one that Sentinels do not know is none */
    rest(600);
    atomic_store(&sentinel.replacement, "wait_promotion");
    assert_true(put(s, &k) >= 0);
    atomic_store(&sentinel.replacement, NULL);
    test_redis_signal(&replica[1], SIGCONT);
    s->ops->close(s);
}

/* Who is about to promote a replica may be among those that do not answer. */
static void more_than_half_of_the_sentinels_have_to_stand_by_it(void **state)
{
    struct key_request k;
    (void)state;
    atomic_store(&sentinel.replicas, REPLICAS + 1);
    struct store *s = open_store_with(",127.0.0.1:1");
    assert_true(put(s, &k) < 0);
    assert_non_null(strstr(k.err.detail, "Sentinels do not stand by the master"));
    atomic_store(&sentinel.replicas, REPLICAS); /* all have it: nobody is asked */
    rest(600);
    assert_true(put(s, &k) >= 0);
    s->ops->close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_waits_for_all_that_keep_up),
        cmocka_unit_test(a_write_that_none_has_is_not_done),
        cmocka_unit_test(what_not_all_have_is_done_only_by_a_master_that_stands),
        cmocka_unit_test(more_than_half_of_the_sentinels_have_to_stand_by_it),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    for (int i = 0; i < REPLICAS; i++)
        test_redis_init(&replica[i]);
    int failed = cmocka_run_group_tests(tests, start_all, stop_all);
    for (int i = 0; i < REPLICAS; i++)
        test_redis_release(&replica[i]);
    test_redis_release(&server);
    return failed;
}
