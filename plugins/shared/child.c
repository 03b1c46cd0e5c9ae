#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct start {
    char *const *argv;
    char *const *envp;
    const char *directory;
    int in, out, failed; /* its ends of the pipes */
};

/* In the new process, where only async-signal-safe functions may be called. */
static _Noreturn void become(const struct start *s)
{
    static const int DEFAULTS[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        signal(DEFAULTS[i], SIG_DFL);
    bool placed = chdir(s->directory) == 0 && dup2(s->in, 0) == 0 && dup2(s->out, 1) == 1;
    /* 3 may be the worker's report; whatever else is open is none of the program's business. The
     * pipe that tells of a failure comes to 3 and closes with a successful exec. */
    if (placed && dup2(s->failed, 3) == 3 && fcntl(3, F_SETFD, FD_CLOEXEC) == 0 &&
        close_range(4, ~0u, 0) == 0)
        execve(s->argv[0], s->argv, s->envp);
    int e = errno;
    ssize_t ignored = write(placed ? 3 : s->failed, &e, sizeof e);
    (void)ignored;
    _exit(127);
}

/* Ends of pipes above 3, so that the dup2() of become() meet none of them. */
static bool make_pipe(int ends[2])
{
    int raw[2];
    if (pipe2(raw, O_CLOEXEC) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        ends[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, 4);
    int e = errno;
    close(raw[0]);
    close(raw[1]);
    errno = e;
    return ends[0] >= 0 && ends[1] >= 0;
}

static void close_ends(int *ends, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/* What exec() said, or 0 once the pipe closed without a word. */
static int read_failure(int fd)
{
    int e = 0;
    ssize_t n;
    while ((n = read(fd, &e, sizeof e)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)sizeof e ? e : 0;
}

/* Fork; the ends are in[2], out[2], failed[2] in one row. Sets errno. */
static pid_t spawn(char *const argv[], const char *directory, int *ends)
{
    char home[4200], tmp[4200];
    snprintf(home, sizeof home, "HOME=%s", directory);
    snprintf(tmp, sizeof tmp, "TMPDIR=%s", directory);
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
    char *envp[] = {path, lang, home, tmp, NULL};
    struct start s = {argv, envp, directory, ends[0], ends[3], ends[5]};
    pid_t pid = fork();
    if (pid == 0)
        become(&s);
    return pid;
}

bool child_start(struct child *ch, char *const argv[], const char *directory)
{
    int ends[6] = {-1, -1, -1, -1, -1, -1};
    bool pipes = make_pipe(ends) && make_pipe(ends + 2) && make_pipe(ends + 4);
    pid_t pid = pipes ? spawn(argv, directory, ends) : -1;
    if (pid < 0) {
        int e = errno;
        close_ends(ends, 6);
        errno = e;
        return false;
    }
    int theirs[] = {ends[0], ends[3], ends[5]};
    close_ends(theirs, 3);
    int e = read_failure(ends[4]);
    close(ends[4]);
    ch->pid = pid;
    ch->in = ends[1];
    ch->out = ends[2];
    text_clear(&ch->held);
    if (e) {
        char how[64];
        child_stop(ch, 0, how, sizeof how);
        errno = e;
        return false;
    }
    fcntl(ch->in, F_SETFL, O_NONBLOCK);
    fcntl(ch->out, F_SETFL, O_NONBLOCK);
    return true;
}

/* The first whole line of what is held, in place. */
static bool take_line(struct child *ch, char **line, size_t *len)
{
    char *end = ch->held.len ? memchr(ch->held.data, '\n', ch->held.len) : NULL;
    if (!end)
        return false;
    *end = '\0';
    *line = ch->held.data;
    *len = (size_t)(end - ch->held.data);
    return true;
}

/* Read what is there. CHILD_LINE: go on. */
static enum child_end read_some(struct child *ch)
{
    char data[65536];
    ssize_t n = read(ch->out, data, sizeof data);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return CHILD_ENDED;
    if (n > 0)
        text_put(&ch->held, data, (size_t)n);
    return ch->held.full ? CHILD_TOO_LONG : CHILD_LINE;
}

/* A write to a program that has ended must not end us: SIGPIPE is blocked and taken back. */
static ssize_t write_quietly(int fd, const char *data, size_t len)
{
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t n = write(fd, data, len);
    int e = errno;
    if (n < 0 && e == EPIPE && !sigismember(&before, SIGPIPE)) {
        static const struct timespec NOW = {0};
        sigtimedwait(&pipe_only, NULL, &NOW);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = e;
    return n;
}

enum child_end child_ask(struct child *ch, const struct text *line, uint64_t timeout_ns,
                         char **answer, size_t *len)
{
    size_t written = 0;
    uint64_t deadline_ns = monotonic_ns() + timeout_ns;
    text_clear(&ch->held); /* an answer to nothing is no answer */
    while (!take_line(ch, answer, len)) {
        uint64_t now = monotonic_ns();
        if (now >= deadline_ns)
            return CHILD_TIMEOUT;
        struct pollfd fds[2] = {{ch->out, POLLIN, 0},
                                {written < line->len ? ch->in : -1, POLLOUT, 0}};
        uint64_t wait_ms = (deadline_ns - now) / 1000000 + 1;
        if (poll(fds, 2, wait_ms < 60000 ? (int)wait_ms : 60000) < 0 && errno != EINTR)
            return CHILD_ENDED;
        if (fds[1].revents) {
            ssize_t n = write_quietly(ch->in, line->data + written, line->len - written);
            if (n > 0)
                written += (size_t)n;
            else if (n < 0 && errno != EAGAIN && errno != EINTR)
                return CHILD_ENDED;
        }
        if (fds[0].revents) {
            enum child_end end = read_some(ch);
            if (end != CHILD_LINE && !take_line(ch, answer, len))
                return end;
            if (end != CHILD_LINE)
                break;
        }
    }
    return CHILD_LINE;
}

static const char *describe(int status, char *how, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *abbreviation = sigabbrev_np(WTERMSIG(status));
        snprintf(how, size, "killed by SIG%s (%s)", abbreviation ? abbreviation : "?",
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(how, size, "exit status %d", WEXITSTATUS(status));
    }
    return how;
}

const char *child_stop(struct child *ch, unsigned grace_ms, char *how, size_t size)
{
    int status = 0;
    pid_t ended = 0;
    close(ch->in);
    for (unsigned waited = 0; waited <= grace_ms; waited++) {
        ended = waitpid(ch->pid, &status, WNOHANG);
        if (ended != 0)
            break;
        struct timespec ms = {0, 1000000};
        nanosleep(&ms, NULL);
    }
    if (ended == 0) {
        kill(ch->pid, SIGKILL);
        while ((ended = waitpid(ch->pid, &status, 0)) < 0 && errno == EINTR)
            ;
    }
    close(ch->out);
    ch->pid = 0;
    text_clear(&ch->held);
    if (ended < 0)
        snprintf(how, size, "ended");
    return ended < 0 ? how : describe(status, how, size);
}
