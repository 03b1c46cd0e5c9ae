/* Asking paddock-worker what a file is. */
#include "base/clock.h"
#include "extend/log_tail.h"
#include "extend/worker_process.h"
#include "extend/worker_spawn.h"

#include "base/bytes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS    10000
#define DESCRIPTION (1u << 20)
#define COMPLAINT   1024

struct answer {
    struct bytes text;
    struct log_tail log;
    bool overdue;
};

/* False at the end of it. */
static bool read_some(int fd, struct answer *a, bool report)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n > 0 && report)
        bytes_add(&a->text, chunk, (size_t)n);
    else if (n > 0)
        log_tail_add(&a->log, chunk, (size_t)n);
    return n > 0;
}

static void collect(struct spawned *s, struct answer *a)
{
    int64_t end_ns = clock_mono_ns(&CLOCK_SYSTEM) + LIMIT_MS * INT64_C(1000000);
    struct pollfd fds[2] = {{.fd = s->report_fd, .events = POLLIN},
                            {.fd = s->log_fd, .events = POLLIN}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int64_t left_ms = (end_ns - clock_mono_ns(&CLOCK_SYSTEM)) / 1000000;
        if (left_ms <= 0) {
            a->overdue = true;
            break;
        }
        if (poll(fds, 2, (int)left_ms) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !read_some(fds[i].fd, a, i == 0))
                fds[i].fd = -1;
    }
    if (a->overdue)
        kill(-s->pid, SIGKILL);
    close(s->report_fd);
    close(s->log_fd);
}

/* Why there is no description. */
static void complain(const struct answer *a, const char *file, int status, struct err *e)
{
    char text[COMPLAINT + 1];
    size_t len = log_tail_clean(text, log_tail_copy(&a->log, text));
    while (len && text[len - 1] == '\n')
        len--;
    text[len] = '\0';
    if (a->overdue)
        fail(e, &ERR_INVALID, "%s: loading it took more than %d seconds", file, LIMIT_MS / 1000);
    else if (WIFSIGNALED(status))
        fail(e, &ERR_INVALID, "%s: loading it ended by SIG%s", file,
             sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        fail(e, &ERR_INVALID, "%s: %s", file, len ? text : "it ended the process that loaded it");
}

const char *worker_describe(const struct worker_settings *settings, const char *file,
                            struct arena *arena, struct err *e)
{
    const char *argv[] = {settings->program, "--describe-to-3", file, settings->user, NULL};
    struct answer a = {.text = BYTES_INIT(DESCRIPTION), .log = {.size = COMPLAINT}};
    struct spawned s;
    const char *out = NULL;
    int status = 0;
    if (!worker_spawn(argv, "", 0, &s, e))
        return NULL;
    collect(&s, &a);
    siginfo_t info;
    while (waitid(P_PID, (id_t)s.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    kill(-s.pid, SIGKILL); /* whatever a constructor may have left in the group */
    while (waitpid(s.pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!a.overdue && WIFEXITED(status) && WEXITSTATUS(status) == 0 && a.text.len && !a.text.full)
        out = arena_copy(arena, a.text.data, a.text.len);
    else
        complain(&a, file, status, e);
    bytes_release(&a.text);
    log_tail_release(&a.log);
    return out;
}
