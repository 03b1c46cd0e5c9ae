/* hostile [IDLE]: clumsy and hostile clients, all at once, while a good client goes on being
 * served.
 *
 * IDLE (5000) connections that say nothing, and at the same time: clients that send one byte at a
 * time, that never read what they asked for, that send bodies in endless one-byte chunks, giant
 * headers and bodies, that leave in the middle. Every answer to the good client must be right; the
 * server's memory is reported and bounded. */
#include "support/client.h"
#include "support/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BASE        "/api/models/enterprise"
#define SECONDS     8
#define RSS_MAX_KB  (256 * 1024)
#define SAMPLES_MAX 200000

static struct test_server server;
static atomic_bool stop;
static atomic_ulong wrong, right, abuses;
static double latencies[SAMPLES_MAX]; /* ms, of the good client */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void *be_good(void *arg)
{
    static const char REQUEST[] = "GET " BASE "/registry/m:1 HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = -1;
    (void)arg;
    while (!atomic_load(&stop)) {
        struct client_reply reply = {0};
        double start = now_ms();
        if (fd < 0)
            fd = client_connect(server.port);
        bool ok = fd >= 0 && client_send(fd, REQUEST, sizeof REQUEST - 1) &&
                  client_read(fd, false, &reply) && reply.status == 200 &&
                  strstr(reply.body, "\"model_id\":\"m:1\"");
        client_reply_release(&reply);
        if (!ok) {
            atomic_fetch_add(&wrong, 1);
            if (fd >= 0)
                close(fd);
            fd = -1;
            continue;
        }
        unsigned long n = atomic_fetch_add(&right, 1);
        if (n < SAMPLES_MAX)
            latencies[n] = now_ms() - start;
        sleep_ms(1);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Send `text` piece by piece of `size` bytes every `ms`; gives up when the server has closed. */
static void drip(int fd, const char *text, size_t len, size_t size, long ms)
{
    for (size_t at = 0; at < len && !atomic_load(&stop); at += size) {
        if (!client_send(fd, text + at, len - at < size ? len - at : size))
            return;
        sleep_ms(ms);
    }
}

static void one_byte_at_a_time(void)
{
    static const char TEXT[] =
        "GET / HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    int fd = client_connect(server.port);
    drip(fd, TEXT, sizeof TEXT - 1, 1, 100);
    close(fd);
}

/* Ask for large replies and read none. */
static void stall(void)
{
    static const char TEXT[] = "GET " BASE "/registry?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = client_connect(server.port), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 2000 && !atomic_load(&stop); i++)
        if (send(fd, TEXT, sizeof TEXT - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
    for (int i = 0; i < 30 && !atomic_load(&stop); i++)
        sleep_ms(100);
    close(fd);
}

static void tiny_chunks(void)
{
    static const char HEAD[] =
        "POST " BASE "/inference HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    static char chunks[6 * 4096];
    int fd = client_connect(server.port);
    for (size_t i = 0; i < sizeof chunks; i += 6)
        memcpy(chunks + i, "1\r\n \r\n", 6);
    client_send(fd, HEAD, sizeof HEAD - 1);
    for (int i = 0; i < 4000 && !atomic_load(&stop); i++)
        if (!client_send(fd, chunks, sizeof chunks))
            break;
    close(fd);
}

static void giant_headers(void)
{
    char *text = malloc(4 << 20);
    int n = snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\nX-Large: ");
    memset(text + n, 'a', (4 << 20) - (size_t)n);
    int fd = client_connect(server.port);
    client_send(fd, text, 4 << 20);
    close(fd);
    free(text);
}

static void giant_body(void)
{
    static const char HEAD[] =
        "POST " BASE "/registry HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    static char piece[1 << 16];
    int fd = client_connect(server.port);
    client_send(fd, HEAD, sizeof HEAD - 1);
    memset(piece, ' ', sizeof piece);
    for (int i = 0; i < 4096 && !atomic_load(&stop); i++)
        if (!client_send(fd, "10000\r\n", 7) || !client_send(fd, piece, sizeof piece) ||
            !client_send(fd, "\r\n", 2))
            break;
    close(fd);
}

/* Leave in the middle of a request, and with answers pending. */
static void leave(void)
{
    static const char HALF[] = "POST " BASE "/registry HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/json\r\nContent-Length: 100\r\n\r\n{";
    static const char WHOLE[] =
        "PATCH " BASE "/registry/m:1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 19\r\n\r\n{\"description\":\"x\"}";
    for (int i = 0; i < 50 && !atomic_load(&stop); i++) {
        struct linger reset = {.l_onoff = 1};
        int fd = client_connect(server.port);
        client_send(fd, i % 2 ? HALF : WHOLE, i % 2 ? sizeof HALF - 1 : sizeof WHOLE - 1);
        if (i % 3 == 0)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
}

/* Not HTTP, or HTTP that another server might read differently. */
static void smuggle(void)
{
    static const char *const TEXTS[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct client_reply reply = {0};
        int fd = client_connect(server.port);
        client_send(fd, TEXTS[i], strlen(TEXTS[i]));
        shutdown(fd, SHUT_WR);
        if (client_read(fd, false, &reply) && reply.status < 400) {
            fprintf(stderr, "FAULT: hostile request %zu was answered %d\n", i, reply.status);
            atomic_fetch_add(&wrong, 1);
        }
        client_reply_release(&reply);
        close(fd);
    }
}

static void (*const ABUSES[])(void) = {
    one_byte_at_a_time, one_byte_at_a_time, stall, stall,  tiny_chunks,
    giant_headers,      giant_body,         leave, smuggle};
#define ABUSE_COUNT (sizeof ABUSES / sizeof *ABUSES)

static void *abuse(void *arg)
{
    void (*const *kind)(void) = arg;
    while (!atomic_load(&stop)) {
        (*kind)();
        atomic_fetch_add(&abuses, 1);
    }
    return NULL;
}

static bool set_up(void)
{
    struct client_reply reply = {0};
    static const char BODY[] = "{\"name\":\"m\",\"type\":\"other\"}";
    bool ok = true;
    for (int i = 0; i < 300 && ok; i++) {
        ok = client_call(server.port, "POST", BASE "/registry",
                         "Content-Type: application/json\r\n", BODY, sizeof BODY - 1, &reply) &&
             reply.status == 201;
        client_reply_release(&reply);
    }
    return ok;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show(const char *when, size_t from, size_t to, long rss)
{
    qsort(latencies + from, to - from, sizeof *latencies, compare);
    printf("%-22s %6zu answers, p50 %.2f ms, p99 %.2f ms, RSS %ld kB\n", when, to - from,
           to > from ? latencies[from + (to - from) / 2] : 0,
           to > from ? latencies[from + (to - from) * 99 / 100] : 0, rss);
}

static size_t samples(void)
{
    unsigned long n = atomic_load(&right);
    return n < SAMPLES_MAX ? n : SAMPLES_MAX;
}

int main(int argc, char **argv)
{
    int idle = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5000, open_idle = 0;
    static const char *const ARGS[] = {"--header-timeout-ms", "3000", "--access-log", "false",
                                       NULL};
    struct rlimit files = {.rlim_cur = 16384, .rlim_max = 16384};
    pthread_t good, bad[ABUSE_COUNT];
    signal(SIGPIPE, SIG_IGN);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        perror("RLIMIT_NOFILE");
    test_server_init(&server);
    server.args = ARGS;
    if (!test_server_start(&server) || !set_up())
        return 1;
    int *fds = calloc((size_t)idle, sizeof *fds);
    pthread_create(&good, NULL, be_good, NULL);
    sleep_ms(2000);
    size_t before = samples();
    long rss_before = test_server_rss_kb(&server), rss_most = 0;
    for (int i = 0; i < idle; i++) {
        fds[i] = client_connect(server.port);
        open_idle += fds[i] >= 0;
    }
    for (size_t i = 0; i < ABUSE_COUNT; i++)
        pthread_create(&bad[i], NULL, abuse, (void *)(uintptr_t)&ABUSES[i]);
    for (int i = 0; i < SECONDS * 10; i++) {
        long rss = test_server_rss_kb(&server);
        rss_most = rss > rss_most ? rss : rss_most;
        sleep_ms(100);
    }
    size_t during = samples();
    atomic_store(&stop, true);
    pthread_join(good, NULL);
    for (size_t i = 0; i < ABUSE_COUNT; i++)
        pthread_join(bad[i], NULL);
    for (int i = 0; i < idle; i++)
        close(fds[i]);
    show("quiet", 0, before, rss_before);
    show("under abuse", before, during, rss_most);
    printf("%d idle connections, %lu rounds of abuse, %lu wrong answers to the good client\n",
           open_idle, atomic_load(&abuses), atomic_load(&wrong));
    int status = test_server_end(&server, SIGTERM);
    bool ok = status == 0 && open_idle == idle && atomic_load(&wrong) == 0 && during > before &&
              rss_most < RSS_MAX_KB;
    if (status != 0)
        printf("the server ended with %d\n", status);
    test_server_release(&server);
    free(fds);
    return ok ? 0 : 1;
}
