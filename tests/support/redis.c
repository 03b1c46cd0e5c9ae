#include "support/redis.h"

#include "support/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "/usr/bin/redis-server"

bool test_redis_there(void)
{
    return access(PROGRAM, X_OK) == 0;
}

void test_redis_init(struct test_redis *r)
{
    memset(r, 0, sizeof *r);
    temp_dir_make_fast(r->dir);
}

/* Redis takes 0 for "no port": look for one that nobody has, and try another if somebody was
 * faster. */
unsigned test_redis_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &len) == 0;
    if (fd >= 0)
        close(fd);
    return ok ? ntohs(a.sin_port) : 0;
}

/* The child's half: never returns. */
static void run_redis(const struct test_redis *r)
{
    char port[16], log[TEMP_DIR_SIZE + 16], socket_path[TEMP_DIR_SIZE + 16];
    snprintf(port, sizeof port, "%u", r->port);
    snprintf(log, sizeof log, "%s/log", r->dir);
    snprintf(socket_path, sizeof socket_path, "%s/socket", r->dir);
    const char *argv[64] = {
        PROGRAM,      "--bind",       "127.0.0.1", "--port",
        port,         "--dir",        r->dir,      "--logfile",
        log,          "--save",       "",          "--appendonly",
        "yes",        "--databases",  "64",        "--appendfsync",
        "always",     "--unixsocket", socket_path, "--maxmemory-policy",
        "noeviction", NULL,
    };
    int n = 21;
    for (int i = 0; r->args && r->args[i] && n < 63; i++)
        argv[n++] = r->args[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(PROGRAM, (char *const *)argv);
    _exit(127);
}

static void sleep_ms(long ms)
{
    nanosleep(&(const struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool start_once(struct test_redis *r)
{
    r->pid = fork();
    if (r->pid == 0)
        run_redis(r);
    for (int i = 0; i < 6000 && r->pid > 0; i++) {
        if (waitpid(r->pid, NULL, WNOHANG) == r->pid) {
            r->pid = 0;
            return false;
        }
        if (test_redis_say(r, "PING", "+PONG") || test_redis_say(r, "PING", "-NOAUTH"))
            return true;
        sleep_ms(5);
    }
    return false;
}

bool test_redis_start(struct test_redis *r)
{
    if (r->port)
        return start_once(r);
    for (int attempt = 0; attempt < 20; attempt++) {
        r->port = test_redis_free_port();
        if (r->port && start_once(r))
            return true;
    }
    return false;
}

/* A child that rewrites the append-only file holds the port a little longer than its parent. */
static void nobody_listens(unsigned port)
{
    for (int i = 0; i < 1000; i++) {
        int fd = client_connect(port);
        if (fd < 0)
            return;
        close(fd);
        usleep(10000);
    }
}

void test_redis_signal(struct test_redis *r, int number)
{
    if (r->pid <= 0)
        return;
    kill(r->pid, number);
    if (number != SIGKILL && number != SIGTERM)
        return;
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    r->pid = 0;
    nobody_listens(r->port);
}

/* What it answers to a line, until there is at least so much of it. */
static size_t ask(const struct test_redis *r, const char *line, char *got, size_t size, size_t want)
{
    char text[512];
    size_t n = 0;
    int len = snprintf(text, sizeof text, "%s\r\n", line);
    int fd = client_connect(r->port);
    if (fd < 0)
        return 0;
    bool sent = len < (int)sizeof text && client_send(fd, text, (size_t)len);
    while (sent && n < want) {
        ssize_t more = recv(fd, got + n, size - n, 0);
        if (more <= 0)
            break;
        n += (size_t)more;
    }
    close(fd);
    return n;
}

bool test_redis_say(const struct test_redis *r, const char *line, const char *reply)
{
    char got[512];
    size_t want = strlen(reply), n = ask(r, line, got, sizeof got, want);
    return n >= want && memcmp(got, reply, want) == 0;
}

bool test_redis_ask(const struct test_redis *r, const char *line, char *out, size_t size)
{
    size_t n = ask(r, line, out, size - 1, 1);
    out[n] = '\0';
    return n > 0;
}

void test_redis_release(struct test_redis *r)
{
    test_redis_signal(r, SIGKILL);
    temp_dir_remove(r->dir);
}
