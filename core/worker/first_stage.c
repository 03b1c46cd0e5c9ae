#include "worker/first_stage.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"
#include "extend/log_tail.h"
#include "worker/children.h"
#include "worker/confine.h"
#include "worker/job.h"
#include "worker/load.h"
#include "worker/relay.h"
#include "worker/report.h"
#include "worker/run.h"
#include "worker/scratch.h"
#include "worker/second_stage.h"
#include "worker/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_MS 5000 /* how long the host may take to read the end of the report */

struct stage {
    struct job job;
    struct confine confine;
    char scratch[PATH_MAX];
    char nonce[NONCE_LEN + 1]; /* of the hop from the second stage */
    int log_in, signals;
    int report_out, log_out; /* the second stage's ends */
    struct relay relay;
    struct log_tail log;
    struct watch watch;
    pid_t pid, self;
    int status; /* of the second stage */
    bool ended, orphaned;
};

/* ---- before ---- */

static bool open_model(struct model_source *m, struct err *e)
{
    if (m->runtime)
        m->fd = load_open(m->runtime_file, e);
    return !m->runtime || m->fd >= 0;
}

/* What the second stage could not open any more. */
static bool open_files(struct job *job, struct err *e)
{
    for (size_t i = 0; i < job->n_datasets; i++) {
        struct dataset_source *d = &job->datasets[i];
        d->fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (d->fd < 0)
            return fail_errno(e, &ERR_INVALID, "dataset '%s': %s cannot be opened", d->name,
                              d->path);
    }
    job->plugin_fd = load_open(job->plugin_file, e);
    return job->plugin_fd >= 0 && open_model(&job->subject, e) && open_model(&job->baseline, e);
}

static bool make_pipe(int ends[2], struct err *e)
{
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return fail_errno(e, &ERR_INTERNAL, "no pipe");
    return true;
}

static bool make_signals(struct stage *s, struct err *e)
{
    sigset_t set;
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

static bool prepare(struct stage *s, struct err *e)
{
    int report[2], log[2];
    uint8_t random[NONCE_LEN / 2];
    const struct job *job = &s->job;
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, s->nonce);
    s->confine = (struct confine){.memory_bytes = job->memory_bytes,
                                  .scratch_bytes = job->scratch_bytes,
                                  .cpu_seconds = job->cpu_seconds,
                                  .processes = job->processes,
                                  .open_files = job->open_files};
    if (!confine_user(job->user, s->self, &s->confine, e) || !open_files(&s->job, e) ||
        !scratch_make(job->scratch_dir, s->confine.uid, s->confine.gid, s->scratch,
                      sizeof s->scratch, e) ||
        !make_pipe(report, e) || !make_pipe(log, e) || !make_signals(s, e))
        return false;
    s->confine.scratch = s->scratch;
    s->log_in = log[0];
    s->log_out = log[1];
    s->report_out = report[1];
    s->log = (struct log_tail){.size = REPORT_LOG};
    relay_init(&s->relay, report[0], REPORT_FD, s->nonce, job->nonce);
    if (fcntl(REPORT_FD, F_SETFL, O_NONBLOCK) != 0 || fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail_errno(e, &ERR_INTERNAL, "the worker cannot be set up");
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

static _Noreturn void become_second(struct stage *s)
{
    struct err e;
    sigset_t none;
    sigemptyset(&none);
    setsid();
    int report = fcntl(s->report_out, F_DUPFD_CLOEXEC, 64);
    if (report < 0 || dup2(s->log_out, STDOUT_FILENO) < 0 || dup2(s->log_out, STDERR_FILENO) < 0 ||
        dup3(s->report_out, REPORT_FD, O_CLOEXEC) < 0)
        _exit(1);
    close(s->report_out);
    close(s->log_out);
    close(s->log_in);
    close(s->signals);
    close(s->relay.in);
    report_open(report, s->nonce);
    be_nice(s->job.nice);
    sigprocmask(SIG_SETMASK, &none, NULL);
    bool ok = confine_self(&s->confine, &e);
    if (ok && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != s->self))
        _exit(1); /* the first stage is gone already */
    if (!ok) {
        report_text("error", "%s", e.detail);
        _exit(1);
    }
    setenv("TMPDIR", s->scratch, 1);
    setenv("HOME", s->scratch, 1);
    second_stage(&s->job, s->scratch);
}

static bool start(struct stage *s, struct err *e)
{
    s->pid = fork();
    if (s->pid < 0)
        return fail_errno(e, &ERR_INTERNAL, "no second process");
    if (s->pid == 0)
        become_second(s);
    close(s->report_out);
    close(s->log_out);
    uint64_t now = run_now_ns();
    s->watch = (struct watch){.job = &s->job,
                              .scratch = s->scratch,
                              .pid = s->pid,
                              .start_ns = now,
                              .look_ns = now + 25000000};
    return true;
}

/* ---- while it runs ---- */

/* False at the end of the log. */
static bool read_log(struct stage *s)
{
    char chunk[65536];
    for (int i = 0; i < 16; i++) { /* a flood must not keep us from the rest */
        ssize_t n = read(s->log_in, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        log_tail_add(&s->log, chunk, (size_t)n);
    }
    return true;
}

static void reap(struct stage *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != s->pid)
            continue; /* an orphan that has ended */
        s->status = status;
        s->ended = true;
        return; /* whoever is left is for the sweep */
    }
}

static void take_signals(struct stage *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            watch_end(&s->watch, STAGE_CANCEL, run_now_ns(), "cancelled");
    reap(s);
}

static void note_progress(struct stage *s)
{
    if (s->relay.running && !s->watch.run_ns)
        s->watch.run_ns = run_now_ns();
}

static void turn(struct stage *s)
{
    struct pollfd fds[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = relay_reads(&s->relay) ? s->relay.in : -1, .events = POLLIN},
        {.fd = s->log_in, .events = POLLIN},
        {.fd = s->relay.out, .events = relay_idle(&s->relay) ? 0 : POLLOUT},
    };
    int timeout = watch_look(&s->watch, run_now_ns());
    if (poll(fds, 4, timeout) < 0 && errno != EINTR)
        return;
    if (fds[1].revents && !relay_read(&s->relay)) {
        close(s->relay.in);
        s->relay.in = -1;
    }
    note_progress(s);
    if (fds[2].revents && !read_log(s)) {
        close(s->log_in);
        s->log_in = -1;
    }
    if ((fds[3].revents & (POLLERR | POLLHUP)) || !relay_write(&s->relay)) {
        s->orphaned = true; /* the host is gone: nobody wants the result */
        return;
    }
    if (fds[0].revents)
        take_signals(s);
}

/* ---- after ---- */

/* All writers are dead, so what is in the pipes is all there is. */
static void drain(struct stage *s)
{
    while (s->relay.in >= 0 && !s->orphaned) {
        if (!relay_read(&s->relay)) {
            close(s->relay.in);
            s->relay.in = -1;
        }
        struct pollfd out = {.fd = s->relay.out, .events = POLLOUT};
        if (!relay_idle(&s->relay) && poll(&out, 1, HOST_MS) <= 0)
            break;
        if (!relay_write(&s->relay))
            s->orphaned = true;
    }
    relay_finish(&s->relay);
    for (int i = 0; i < 64 && s->log_in >= 0 && read_log(s); i++)
        ;
}

static uint64_t cpu_ns(const struct rusage *u)
{
    uint64_t us = (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000u +
                  (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
    return us * 1000;
}

/* How it ended: `end`, `code`, `signal`, `detail`. */
static void put_end(const struct stage *s, struct bytes *line)
{
    const char *end = s->watch.end, *detail = s->watch.detail;
    char text[128];
    int number = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;
    int code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : 0;
    if (!end && number == SIGXCPU) {
        end = STAGE_LIMIT;
        snprintf(text, sizeof text, "it used %llu seconds of processor time, its limit",
                 (unsigned long long)s->job.cpu_seconds);
        detail = text;
    } else if (!end && number == SIGXFSZ) {
        end = STAGE_LIMIT;
        snprintf(text, sizeof text, "it wrote a file of %llu MiB, the limit",
                 (unsigned long long)(s->job.scratch_bytes >> 20));
        detail = text;
    } else if (!end && number) {
        end = STAGE_SIGNAL;
        if (number == SIGKILL)
            detail = "somebody else did that, perhaps the kernel for want of memory";
    } else if (!end) {
        end = STAGE_EXIT;
        if (code == EXIT_REPORT_CLOSED && !s->relay.ended)
            detail = "the plugin closed the descriptor through which it reports";
    }
    json_kv_string(line, "end", end);
    json_kv_int(line, "code", code);
    json_kv_int(line, "signal", number);
    json_kv_string(line, "detail", detail);
}

static void put_stage(struct stage *s, unsigned left_behind)
{
    struct rusage usage = {0};
    struct bytes line = BYTES_INIT(8192);
    getrusage(RUSAGE_CHILDREN, &usage);
    uint64_t rss = (uint64_t)usage.ru_maxrss * 1024;
    put_end(s, &line);
    json_kv_int(&line, "foreign", (int64_t)s->relay.foreign);
    json_kv_int(&line, "left_behind", left_behind);
    json_kv_int(&line, "cpu_ns", (int64_t)cpu_ns(&usage));
    json_kv_int(&line, "max_rss", (int64_t)(rss > s->watch.max_rss ? rss : s->watch.max_rss));
    json_kv_int(&line, "run_ns", s->watch.run_ns ? (int64_t)(run_now_ns() - s->watch.run_ns) : 0);
    relay_own(&s->relay, "stage", &line);
    bytes_release(&line);
}

static void send_rest(struct stage *s)
{
    while (!s->orphaned && !relay_idle(&s->relay)) {
        struct pollfd out = {.fd = s->relay.out, .events = POLLOUT};
        if (poll(&out, 1, HOST_MS) <= 0 || !relay_write(&s->relay))
            return;
    }
    char *tail = malloc(REPORT_LOG);
    size_t len = tail ? log_tail_copy(&s->log, tail) : 0;
    for (size_t done = 0; done < len && !s->orphaned;) {
        ssize_t n = write(STDERR_FILENO, tail + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    free(tail);
}

/* The job could not be started: say why, if it is known to whom. */
static int give_up(struct stage *s, const struct err *e)
{
    struct bytes line = BYTES_INIT(8192);
    struct relay relay;
    relay_init(&relay, -1, REPORT_FD, s->job.nonce, s->job.nonce);
    json_kv_string(&line, "end", STAGE_ERROR);
    json_kv_string(&line, "detail", e->detail);
    relay_own(&relay, "stage", &line);
    bool ok = relay_write(&relay);
    bytes_release(&line);
    relay_release(&relay);
    if (*s->scratch)
        scratch_remove(s->scratch);
    return ok ? 0 : 1;
}

int first_stage(void)
{
    static struct stage s = {.signals = -1};
    struct err e;
    s.self = getpid();
    if (!job_read(STDIN_FILENO, &s.job, &e)) {
        fprintf(stderr, "%s\n", e.detail);
        return 2;
    }
    (void)setpriority(PRIO_PROCESS, 0, s.job.nice); /* looking after a fork bomb is work too */
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return 2;
    close(null);
    if (!prepare(&s, &e) || !start(&s, &e))
        return give_up(&s, &e);
    while (!s.ended && !s.orphaned)
        turn(&s);
    if (s.orphaned)
        kill(s.pid, SIGKILL);
    unsigned left_behind = children_sweep(s.confine.own ? s.confine.uid : 0);
    drain(&s);
    put_stage(&s, left_behind);
    send_rest(&s);
    scratch_remove(s.scratch);
    relay_release(&s.relay);
    return 0;
}
