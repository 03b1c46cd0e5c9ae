/* How a first stage starts the second. */
#include "worker/first_stage_impl.h"

#include "base/hash.h"
#include "extend/nursery.h"
#include "extend/pass_fds.h"
#include "worker/rehearse.h"
#include "worker/report.h"
#include "worker/run.h"
#include "worker/second_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the second stage gets of it. */
struct ends {
    int report, log, order;
};

/* What it hears, together with the job's descriptor. */
struct order {
    struct confine confine; /* without the directory, which it knows */
    int nice;
    int64_t timeout_ms;
    size_t terms_len;
};

void stage_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool make_apart(struct stage *s, struct err *e)
{
    if (s->apart)
        return true;
    void *memory = mmap(NULL, sizeof *s->apart, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return fail_errno(e, &ERR_MEMORY, "no memory for a report");
    if (madvise(memory, sizeof *s->apart, MADV_DONTFORK) != 0) {
        munmap(memory, sizeof *s->apart);
        return fail_errno(e, &ERR_INTERNAL, "memory cannot be kept apart");
    }
    s->apart = memory;
    return true;
}

static bool make_pipe(int *in, int *out, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno(e, &ERR_INTERNAL, "no pipe");
    *in = ends[0];
    *out = ends[1];
    return fcntl(*in, F_SETFL, O_NONBLOCK) == 0 || fail_errno(e, &ERR_INTERNAL, "no pipe");
}

/* Once; it stays for the tests to come. A signal of one can be none of the next: who cancels a test
 * gives this process no other (extend/nursery.h). */
static bool make_signals(struct stage *s, struct err *e)
{
    sigset_t set;
    if (s->signals >= 0)
        return true;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0 || fail_errno(e, &ERR_INTERNAL, "no descriptor for signals");
}

/* For the second stage, in memory that is there already. */
static bool put_environment(const char *scratch, struct err *e)
{
    static char tmpdir[PATH_MAX + 8], home[PATH_MAX + 8];
    snprintf(tmpdir, sizeof tmpdir, "TMPDIR=%s", scratch);
    snprintf(home, sizeof home, "HOME=%s", scratch);
    return (putenv(tmpdir) == 0 && putenv(home) == 0) || fail_errno(e, &ERR_MEMORY, "no memory");
}

/* From the kernel itself: what random_bytes() has in store would be in the second stage too. */
static bool make_nonce(struct stage *s, struct err *e)
{
    uint8_t random[NONCE_LEN / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail_errno(e, &ERR_INTERNAL, "no random bytes");
    hex_encode(random, sizeof random, s->nonce);
    return true;
}

static bool make_order(struct stage *s, struct ends *ends, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fail_errno(e, &ERR_INTERNAL, "no socket");
    s->order = pair[0];
    ends->order = pair[1];
    return true;
}

static bool make_ends(struct stage *s, struct ends *ends, struct err *e)
{
    return make_pipe(&s->report_in, &ends->report, e) && make_pipe(&s->log_in, &ends->log, e) &&
           make_order(s, ends, e);
}

static bool make_ready(struct stage *s, const char *scratch_dir, struct err *e)
{
    if (!make_nonce(s, e) || !scratch_need(&s->scratch, scratch_dir, e) ||
        !put_environment(s->scratch.path, e) || !make_apart(s, e) || !make_signals(s, e))
        return false;
    return (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 &&
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) ||
           fail_errno(e, &ERR_INTERNAL, "the worker cannot be set up");
}

/* ---- the second stage's first steps ---- */

/* Where the scheduler groups by session, being nice counts within the session only, and the second
 * stage has one of its own: then the session must be nice. What cannot be is left out. */
static void be_nice(int nice)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", nice);
    setpriority(PRIO_PROCESS, 0, nice);
    int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, (size_t)len) != len)
        errno = 0; /* an unprivileged user may do it ten times a second */
    if (fd >= 0)
        close(fd);
}

/* Without the descriptors of the first stage. */
static bool take_descriptors(struct stage *s, struct ends *ends)
{
    int report = fcntl(ends->report, F_DUPFD_CLOEXEC, 64);
    if (report < 0 || dup2(ends->log, STDOUT_FILENO) < 0 || dup2(ends->log, STDERR_FILENO) < 0 ||
        dup3(ends->report, REPORT_FD, O_CLOEXEC) < 0)
        return false;
    stage_close(&ends->report);
    stage_close(&ends->log);
    stage_close(&s->log_in);
    stage_close(&s->signals);
    stage_close(&s->report_in);
    stage_close(&s->order);
    stage_close(&s->control);
    report_open(report, s->nonce);
    return true;
}

static bool order_is_there(int from)
{
    struct pollfd p = {.fd = from, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* The job becomes descriptor 0. Without an order there is nothing to do, and if the first stage is
 * gone, nobody else who removes the directory. */
static void await_order(struct stage *s, int from)
{
    struct order order;
    int job;
    if (!take_fds(from, &order, sizeof order, &job, 1)) {
        scratch_end(&s->scratch);
        _exit(0);
    }
    if (dup2(job, STDIN_FILENO) < 0)
        _exit(1);
    close(job);
    close(from);
    s->confine = order.confine;
    s->confine.scratch = s->scratch.path;
    s->terms =
        (struct terms){.nice = order.nice, .timeout_ms = order.timeout_ms, .len = order.terms_len};
}

static bool read_job(const struct stage *s, struct job *job, struct err *e)
{
    bool ok = job_read(STDIN_FILENO, &s->terms, job, e) && job_open(job, e);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        _exit(1);
    close(null);
    return ok;
}

static _Noreturn void become_second(struct stage *s, struct ends *ends, bool idle)
{
    static struct job job;
    struct err e;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    if (!take_descriptors(s, ends))
        _exit(1);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (idle)
        be_nice(NURSERY_NICE);
    if (idle && !order_is_there(ends->order))
        rehearse();
    forks_announce(ends->order);
    await_order(s, ends->order);
    if (!idle || s->terms.nice != NURSERY_NICE)
        be_nice(s->terms.nice);
    bool ok = read_job(s, &job, &e) && confine_self(&s->confine, &e);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != s->self)
        _exit(1); /* the first stage is gone already */
    if (!ok)
        second_stage_fail(&e);
    second_stage(&job, s->scratch.path);
}

/* ---- the first stage ---- */

bool stage_prepare(struct stage *s, const char *scratch_dir, bool idle, struct err *e)
{
    struct ends ends = {.report = -1, .log = -1, .order = -1};
    bool ok = make_ready(s, scratch_dir, e) && make_ends(s, &ends, e);
    pid_t pid = ok ? fork() : -1;
    if (pid == 0)
        become_second(s, &ends, idle);
    if (ok && pid < 0)
        fail_errno(e, &ERR_INTERNAL, "no second process");
    stage_close(&ends.report);
    stage_close(&ends.log);
    stage_close(&ends.order);
    s->pid = pid > 0 ? pid : 0;
    if (idle)
        rehearse_data(); /* what a fork shares is ours again only when it has been written to */
    return pid > 0;
}

void stage_forget(struct stage *s)
{
    stage_close(&s->order);
    stage_close(&s->report_in);
    stage_close(&s->log_in);
    if (s->pid) {
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    s->pid = 0;
    scratch_end(&s->scratch);
}

static bool set_terms(struct stage *s, struct err *e)
{
    const struct terms *terms = &s->terms;
    s->confine = (struct confine){.memory_bytes = terms->memory_bytes,
                                  .scratch_bytes = terms->scratch_bytes,
                                  .cpu_seconds = terms->cpu_seconds,
                                  .processes = terms->processes + 1, /* one too many is seen */
                                  .open_files = terms->open_files};
    if (!confine_user(terms->user, s->self, &s->confine, e))
        return false;
    return (fcntl(REPORT_FD, F_SETFL, O_NONBLOCK) == 0 &&
            fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) == 0) ||
           fail_errno(e, &ERR_INTERNAL, "the worker cannot be set up");
}

/* To the one that waits, or else to one that is made now. */
static bool give_order(struct stage *s, struct err *e)
{
    const struct order order = {.confine = s->confine,
                                .nice = s->terms.nice,
                                .timeout_ms = s->terms.timeout_ms,
                                .terms_len = s->terms.len};
    const int job = STDIN_FILENO;
    if (!s->pid && !stage_prepare(s, s->terms.scratch_dir, false, e))
        return false;
    if (!scratch_hand(&s->scratch, s->confine.uid, s->confine.gid, e))
        return false;
    return pass_fds(s->order, &order, sizeof order, &job, 1) ||
           fail_errno(e, &ERR_INTERNAL, "the second process does not hear");
}

bool stage_start(struct stage *s, struct err *e)
{
    if (!set_terms(s, e))
        return false;
    bool waited = s->pid;
    if (waited && strcmp(s->scratch.parent, s->terms.scratch_dir) != 0)
        stage_forget(s);
    if (!give_order(s, e)) {
        stage_forget(s);
        if (!waited || !give_order(s, e)) /* the one that waited had died */
            return false;
    }
    s->started = true;
    s->log = (struct log_tail){.ring = s->apart->log, .size = REPORT_LOG};
    relay_init(&s->relay, &s->apart->relay, s->report_in, REPORT_FD, s->nonce, s->terms.nonce);
    getrusage(RUSAGE_CHILDREN, &s->before);
    uint64_t now = run_now_ns();
    s->watch = (struct watch){.terms = &s->terms,
                              .scratch = s->scratch.path,
                              .pid = s->pid,
                              .start_ns = now,
                              .look_ns = now + 25000000};
    s->forks = (struct forks){.in = -1, .limit = s->terms.processes, .most = 1};
    return true;
}
