#include "extend/nursery.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS  5000 /* a nursery that is silent for so long is given up */
#define AGAIN_MS   1000 /* before the next is tried; twice as long each time */
#define FUTILE_MAX 9
#define NS_PER_MS  INT64_C(1000000)

struct nursery {
    const char *program, *kind;
    pthread_mutex_t lock;
    pid_t pid; /* 0: none */
    int fd;    /* our end of the socket; -1: none */
    int64_t not_before_ns;
    unsigned futile; /* how often in a row it ended without having been of use */
};

static int64_t now(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

struct nursery *nursery_new(const char *program, const char *kind)
{
    struct nursery *n = mem_zero(1, sizeof *n);
    n->program = program;
    n->kind = kind;
    n->fd = -1;
    /* Under ThreadSanitizer the program has none (worker/nursery.c): nobody asks in vain. */
    n->not_before_ns = BUILT_WITH_TSAN ? INT64_MAX : 0;
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

/* ---- its end ---- */

static bool reap(pid_t which, int options)
{
    pid_t pid;
    while ((pid = waitpid(which, NULL, options)) < 0 && errno == EINTR)
        ;
    return pid > 0;
}

/* Workers whose answer nobody took: nobody reads their reports either. */
static void end_strays(int fd)
{
    int32_t pid;
    while (recv(fd, &pid, sizeof pid, MSG_DONTWAIT) == (ssize_t)sizeof pid)
        if (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
            kill(pid, SIGKILL);
            (void)reap(pid, 0);
        }
}

/* A worker says its number before it leaves the nursery's group. So whoever is in the group has not
 * been of use yet and goes with it, and whoever is not has told. */
static void end(struct nursery *n)
{
    if (!n->pid)
        return;
    kill(-n->pid, SIGKILL);
    while (reap(-n->pid, 0))
        ;
    end_strays(n->fd);
    close(n->fd);
    n->fd = -1;
    n->pid = 0;
}

static void give_up(struct nursery *n, const char *why)
{
    end(n);
    n->not_before_ns = now() + ((int64_t)AGAIN_MS << n->futile) * NS_PER_MS;
    if (n->futile == 0)
        log_text(LOG_WARN, "nursery_lost", why);
    if (n->futile < FUTILE_MAX)
        n->futile++;
}

void nursery_free(struct nursery *n)
{
    if (!n)
        return;
    end(n);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* ---- its beginning ---- */

/* Above the numbers that it will have in the new process. */
static int raised(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (fd >= 0)
        close(fd);
    return high;
}

static bool start(struct nursery *n)
{
    const char *argv[] = {n->program, n->kind, NULL};
    int pair[2] = {-1, -1};
    bool ok = false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    int null = raised(open("/dev/null", O_RDWR | O_CLOEXEC));
    pair[1] = raised(pair[1]);
    const struct worker_ends ends = {.input = pair[1], .log = null, .report = null};
    ok = null >= 0 && pair[1] >= 0 && worker_exec(argv, &ends, &n->pid) == 0;
    if (ok) {
        n->fd = pair[0];
    } else {
        n->pid = 0;
        close(pair[0]);
    }
    if (null >= 0)
        close(null);
    if (pair[1] >= 0)
        close(pair[1]);
    return ok;
}

/* ---- asking ---- */

static bool send_ends(int fd, const struct worker_ends *ends)
{
    const int fds[3] = {ends->input, ends->log, ends->report};
    char ask = NURSERY_ASK;
    struct iovec text = {.iov_base = &ask, .iov_len = 1};
    union {
        char room[CMSG_SPACE(sizeof fds)];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(head), fds, sizeof fds);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static bool await(int fd, int32_t *answer)
{
    int64_t until = now() + ANSWER_MS * NS_PER_MS;
    for (;;) {
        int64_t left_ms = (until - now()) / NS_PER_MS;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int rc = left_ms <= 0 ? 0 : poll(&p, 1, (int)left_ms);
        if (rc == 0)
            return false;
        if (rc > 0)
            return recv(fd, answer, sizeof *answer, MSG_DONTWAIT) == (ssize_t)sizeof *answer;
        if (errno != EINTR)
            return false;
    }
}

static bool ask(struct nursery *n, const struct worker_ends *ends, pid_t *pid)
{
    int32_t answer = 0;
    if (!n->pid && (now() < n->not_before_ns || !start(n)))
        return false;
    if (!send_ends(n->fd, ends) || !await(n->fd, &answer)) {
        give_up(n, "it has died or does not answer: tests start the program until it is back");
        return false;
    }
    if (answer <= 0) /* no more processes, perhaps; the caller will hear it too */
        return false;
    n->futile = 0;
    *pid = answer;
    return true;
}

bool nursery_fork(struct nursery *n, const struct worker_ends *ends, pid_t *pid)
{
    pthread_mutex_lock(&n->lock);
    bool ok = ask(n, ends, pid);
    pthread_mutex_unlock(&n->lock);
    return ok;
}

pid_t nursery_pid(struct nursery *n)
{
    pthread_mutex_lock(&n->lock);
    pid_t pid = n->pid;
    pthread_mutex_unlock(&n->lock);
    return pid;
}
