#include "extend/worker_ask.h"

#include "base/clock.h"
#include "extend/log_tail.h"
#include "extend/worker_spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct listening {
    struct bytes *text;
    struct log_tail log;
    bool overdue;
};

/* False at the end of it. */
static bool read_some(int fd, struct listening *l, bool report)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n > 0 && report)
        bytes_add(l->text, chunk, (size_t)n);
    else if (n > 0)
        log_tail_add(&l->log, chunk, (size_t)n);
    return n > 0;
}

/* Until both have ended, or the time is over: a process of the plugin's that is left behind would
 * hold them open for ever. */
static void listen_to(struct spawned *s, struct listening *l, int limit_ms)
{
    int64_t end_ns = clock_mono_ns(&CLOCK_SYSTEM) + limit_ms * INT64_C(1000000);
    struct pollfd fds[2] = {{.fd = s->report_fd, .events = POLLIN},
                            {.fd = s->log_fd, .events = POLLIN}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int64_t left_ms = (end_ns - clock_mono_ns(&CLOCK_SYSTEM)) / 1000000;
        if (left_ms <= 0) {
            l->overdue = true;
            break;
        }
        if (poll(fds, 2, (int)left_ms) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !read_some(fds[i].fd, l, i == 0))
                fds[i].fd = -1;
    }
    kill(-s->pid, SIGKILL); /* whatever it has left */
    close(s->report_fd);
    close(s->log_fd);
}

static bool complain(const struct listening *l, int status, int limit_ms, struct err *e)
{
    char text[WORKER_COMPLAINT + 1];
    size_t len = log_tail_clean(text, log_tail_copy(&l->log, text));
    while (len && text[len - 1] == '\n')
        len--;
    text[len] = '\0';
    if (l->overdue)
        return fail(e, &ERR_INVALID, "it took more than %g seconds", limit_ms / 1000.0);
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        return fail(e, &ERR_INVALID, "it ended by SIG%s", name ? name : "?");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return fail(e, &ERR_INVALID, "%s",
                    l->text->len ? "it has too much to tell" : "it ended the process");
    return fail(e, &ERR_INVALID, "%s", len ? text : "it ended the process");
}

bool worker_ask(const struct worker_question *q, struct bytes *answer, struct err *e)
{
    struct listening l = {.text = answer, .log = {.size = WORKER_COMPLAINT}};
    struct spawned s;
    int status = 0;
    *answer = BYTES_INIT(q->answer_max);
    if (!worker_spawn(q->argv, q->input ? q->input : "", q->input ? strlen(q->input) : 0, &s, e))
        return false;
    listen_to(&s, &l, q->limit_ms);
    while (waitpid(s.pid, &status, 0) < 0 && errno == EINTR)
        ;
    bool good =
        !l.overdue && WIFEXITED(status) && WEXITSTATUS(status) == 0 && answer->len && !answer->full;
    if (!good)
        complain(&l, status, q->limit_ms, e);
    log_tail_release(&l.log);
    return good;
}
