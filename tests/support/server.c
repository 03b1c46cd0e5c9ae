#include "support/server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 64

void test_server_init(struct test_server *s)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/paddock-test-XXXXXX");
    if (!mkdtemp(s->dir)) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(s->log, sizeof s->log, "%s.log", s->dir);
}

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* The child's half: never returns. */
static void run_server(const struct test_server *s)
{
    const char *bin = getenv("PADDOCK_BIN");
    const char *argv[ARGS_MAX + 8] = {bin,           "serve",      "--listen",
                                      "127.0.0.1:0", "--data-dir", s->dir};
    int n = 6;
    for (int i = 0; s->args && s->args[i] && i < ARGS_MAX; i++)
        argv[n++] = s->args[i];
    int fd = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!bin || fd < 0)
        _exit(127);
    int out = s->out ? open(s->out, O_WRONLY | O_CREAT | O_APPEND, 0600) : fd;
    dup2(fd, 2);
    dup2(out, 1);
    if (s->preload)
        setenv("LD_PRELOAD", s->preload, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(bin, (char *const *)argv);
    _exit(127);
}

/* The port of the last `listening` line after `from`, or 0. */
static unsigned read_port(const struct test_server *s, long from)
{
    char line[4096];
    unsigned port = 0;
    FILE *f = fopen(s->log, "re");
    if (!f)
        return 0;
    fseek(f, from, SEEK_SET);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "\"event\":\"listening\"") ? strstr(line, "\"port\":") : NULL;
        if (at && strchr(line, '\n'))
            port = (unsigned)strtoul(at + 7, NULL, 10);
    }
    fclose(f);
    return port;
}

static void show_log(const struct test_server *s)
{
    char line[4096];
    FILE *f = fopen(s->log, "re");
    while (f && fgets(line, sizeof line, f))
        fputs(line, stderr);
    if (f)
        fclose(f);
}

bool test_server_start(struct test_server *s)
{
    FILE *f = fopen(s->log, "ae");
    long from = f ? ftell(f) : 0;
    if (f)
        fclose(f);
    s->port = 0;
    s->pid = fork();
    if (s->pid == 0)
        run_server(s);
    for (int i = 0; i < 6000 && s->pid > 0; i++) {
        s->port = read_port(s, from);
        if (s->port)
            return true;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            break;
        sleep_ms(5);
    }
    show_log(s);
    if (s->pid > 0)
        kill(s->pid, SIGKILL);
    s->pid = 0;
    return false;
}

/* A token's secret in what the server wrote: whatever the test is about, it has failed. */
static bool tells_secret(const char *path)
{
    static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char line[65536];
    bool found = false;
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f))
        for (char *at = line; !found && (at = strstr(at, "pdk_")); at += 4)
            found = strspn(at + 4, DIGITS) == 12 && at[16] == '_' && strspn(at + 17, DIGITS) >= 20;
    if (f)
        fclose(f);
    if (found)
        fprintf(stderr, "the log tells a secret: %s\n", line);
    return found;
}

int test_server_end(struct test_server *s, int number)
{
    int status = 0;
    if (s->pid <= 0)
        return 0;
    kill(s->pid, number);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    if (tells_secret(s->log))
        exit(1);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void test_server_release(struct test_server *s)
{
    test_server_end(s, SIGKILL);
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unlink(s->log);
}

bool test_server_logged(const struct test_server *s, const char *text)
{
    char line[65536];
    bool found = false;
    FILE *f = fopen(s->log, "re");
    while (f && !found && fgets(line, sizeof line, f))
        found = strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return found;
}

long test_server_rss_kb(const struct test_server *s)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kb;
}
