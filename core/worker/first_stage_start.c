/* How a first stage starts the second. */
#include "worker/first_stage_impl.h"

#include "base/hash.h"
#include "worker/report.h"
#include "worker/run.h"
#include "worker/scratch.h"
#include "worker/second_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

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

static bool prepare(struct stage *s, struct err *e)
{
    const struct terms *terms = &s->terms;
    s->confine = (struct confine){.memory_bytes = terms->memory_bytes,
                                  .scratch_bytes = terms->scratch_bytes,
                                  .cpu_seconds = terms->cpu_seconds,
                                  .processes = terms->processes,
                                  .open_files = terms->open_files};
    if (!make_nonce(s, e) || !confine_user(terms->user, s->self, &s->confine, e) ||
        !scratch_make(terms->scratch_dir, s->confine.uid, s->confine.gid, s->scratch,
                      sizeof s->scratch, e) ||
        !put_environment(s->scratch, e) || !make_apart(s, e) ||
        !make_pipe(&s->report_in, &s->report_out, e) || !make_pipe(&s->log_in, &s->log_out, e) ||
        !make_signals(s, e))
        return false;
    s->confine.scratch = s->scratch;
    s->log = (struct log_tail){.ring = s->apart->log, .size = REPORT_LOG};
    relay_init(&s->relay, &s->apart->relay, s->report_in, REPORT_FD, s->nonce, terms->nonce);
    if (fcntl(REPORT_FD, F_SETFL, O_NONBLOCK) != 0 || fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno(e, &ERR_INTERNAL, "the worker cannot be set up");
    getrusage(RUSAGE_CHILDREN, &s->before);
    return true;
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

/* Without the descriptors of the first stage; the job is on 0. */
static bool take_descriptors(struct stage *s)
{
    int report = fcntl(s->report_out, F_DUPFD_CLOEXEC, 64);
    if (report < 0 || dup2(s->log_out, STDOUT_FILENO) < 0 || dup2(s->log_out, STDERR_FILENO) < 0 ||
        dup3(s->report_out, REPORT_FD, O_CLOEXEC) < 0)
        return false;
    stage_close(&s->report_out);
    stage_close(&s->log_out);
    stage_close(&s->log_in);
    stage_close(&s->signals);
    stage_close(&s->report_in);
    stage_close(&s->control);
    report_open(report, s->nonce);
    return true;
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

static _Noreturn void become_second(struct stage *s)
{
    static struct job job;
    struct err e;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    if (!take_descriptors(s))
        _exit(1);
    be_nice(s->terms.nice);
    sigprocmask(SIG_SETMASK, &none, NULL);
    bool ok = read_job(s, &job, &e) && confine_self(&s->confine, &e);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != s->self)
        _exit(1); /* the first stage is gone already */
    if (!ok)
        second_stage_fail(&e);
    second_stage(&job, s->scratch);
}

bool stage_start(struct stage *s, struct err *e)
{
    if (!prepare(s, e))
        return false;
    s->pid = fork();
    if (s->pid < 0)
        return fail_errno(e, &ERR_INTERNAL, "no second process");
    if (s->pid == 0)
        become_second(s);
    stage_close(&s->report_out);
    stage_close(&s->log_out);
    uint64_t now = run_now_ns();
    s->watch = (struct watch){.terms = &s->terms,
                              .scratch = s->scratch,
                              .pid = s->pid,
                              .start_ns = now,
                              .look_ns = now + 25000000};
    return true;
}
