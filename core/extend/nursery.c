#include "extend/nursery.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "extend/pass_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS  30000 /* one that is not ready then is given up */
#define END_MS     1000  /* one that has not ended then is ended */
#define AGAIN_MS   1000  /* before the next is tried; twice as long each time */
#define FUTILE_MAX 9
#define NS_PER_MS  INT64_C(1000000)

struct nursery {
    const char *program, *kind;
    pthread_mutex_t lock;
    struct kept idle[NURSERY_IDLE]; /* the last is the next: what it needs is still in the caches */
    size_t n_idle;
    int64_t not_before_ns;
    unsigned futile; /* how often in a row one could not be started */
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
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

/* ---- their end ---- */

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* It ends by itself when it hears that nobody wants another test; unless it is none. */
static void await_end(pid_t pid)
{
    int fd = pidfd_open(pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&p, 1, END_MS) != 1)
        kill(pid, SIGKILL);
    if (fd >= 0)
        close(fd);
    (void)reap(pid);
}

static void end(const struct kept *k)
{
    close(k->fd);
    await_end(k->pid);
}

static void give_up(struct nursery *n)
{
    n->not_before_ns = now() + ((int64_t)AGAIN_MS << n->futile) * NS_PER_MS;
    if (n->futile == 0)
        log_text(LOG_WARN, "nursery_lost",
                 "no worker can be kept: tests start the program until one can");
    if (n->futile < FUTILE_MAX)
        n->futile++;
}

void nursery_free(struct nursery *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n_idle; i++)
        close(n->idle[i].fd);
    while (n->n_idle)
        await_end(n->idle[--n->n_idle].pid);
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

static bool start_program(const struct nursery *n, struct kept *k)
{
    const char *argv[] = {n->program, n->kind, NULL};
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    int null = raised(open("/dev/null", O_RDWR | O_CLOEXEC));
    pair[1] = raised(pair[1]);
    const struct worker_ends ends = {.input = pair[1], .log = null, .report = null};
    bool ok = null >= 0 && pair[1] >= 0 && worker_exec(argv, &ends, &k->pid) == 0;
    k->fd = pair[0];
    if (!ok)
        close(pair[0]);
    if (null >= 0)
        close(null);
    if (pair[1] >= 0)
        close(pair[1]);
    return ok;
}

static bool start(struct nursery *n, struct kept *k)
{
    int32_t ready;
    if (now() < n->not_before_ns)
        return false;
    if (start_program(n, k)) {
        if (await(k->fd, &ready)) {
            n->futile = 0;
            return true;
        }
        end(k);
    }
    give_up(n);
    return false;
}

/* ---- asking ---- */

static bool send_ends(int fd, const struct worker_ends *ends)
{
    const int fds[3] = {ends->input, ends->log, ends->report};
    const char ask = NURSERY_ASK;
    return pass_fds(fd, &ask, 1, fds, 3);
}

static bool take(struct nursery *n, const struct worker_ends *ends, struct kept *out)
{
    while (n->n_idle) {
        *out = n->idle[--n->n_idle];
        if (send_ends(out->fd, ends))
            return true;
        end(out); /* it has died */
    }
    if (!start(n, out))
        return false;
    if (send_ends(out->fd, ends))
        return true;
    end(out);
    return false;
}

bool nursery_take(struct nursery *n, const struct worker_ends *ends, struct kept *out)
{
    pthread_mutex_lock(&n->lock);
    bool ok = take(n, ends, out);
    pthread_mutex_unlock(&n->lock);
    if (!ok)
        *out = (struct kept){.fd = -1};
    return ok;
}

static bool keep(struct nursery *n, const struct kept *k)
{
    pthread_mutex_lock(&n->lock);
    bool room = n->n_idle < NURSERY_IDLE;
    if (room)
        n->idle[n->n_idle++] = *k;
    pthread_mutex_unlock(&n->lock);
    return room;
}

int nursery_give_back(struct nursery *n, struct kept *kept, bool again)
{
    int32_t code;
    int status;
    bool told = recv(kept->fd, &code, sizeof code, MSG_DONTWAIT) == (ssize_t)sizeof code;
    if (!told) { /* it has died, or is about to */
        close(kept->fd);
        status = reap(kept->pid);
    } else {
        status = W_EXITCODE(code & 0xff, 0);
        if (!again || !keep(n, kept))
            end(kept);
    }
    *kept = (struct kept){.fd = -1};
    return status;
}

pid_t nursery_next(struct nursery *n)
{
    pthread_mutex_lock(&n->lock);
    pid_t pid = n->n_idle ? n->idle[n->n_idle - 1].pid : 0;
    pthread_mutex_unlock(&n->lock);
    return pid;
}

bool nursery_has(struct nursery *n, pid_t pid)
{
    bool found = false;
    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < n->n_idle; i++)
        found = found || n->idle[i].pid == pid;
    pthread_mutex_unlock(&n->lock);
    return found;
}
