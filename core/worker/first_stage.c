#include "worker/first_stage.h"

#include "base/bytes.h"
#include "base/json.h"
#include "worker/children.h"
#include "worker/first_stage_impl.h"
#include "worker/report.h"
#include "worker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_MS 5000 /* how long the host may take to read the end of the report */

/* ---- while it runs ---- */

/* False at the end of the log. */
static bool read_log(struct stage *s)
{
    char *chunk = s->apart->relay.chunk;
    for (int i = 0; i < 16; i++) { /* a flood must not keep us from the rest */
        ssize_t n = read(s->log_in, chunk, RELAY_CHUNK);
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
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        if (usage.ru_maxrss > s->usage.ru_maxrss)
            s->usage.ru_maxrss = usage.ru_maxrss;
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

/* A mount namespace ends with who lets go of it last, and who does waits for all processors. That
 * is us, when nobody waits for us, rather than the second stage before it has ended. What cannot be
 * had is left out. */
static void keep_mounts(struct stage *s)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)s->pid);
    s->mounts = open(path, O_RDONLY | O_CLOEXEC);
}

static void note_progress(struct stage *s)
{
    if (!s->relay.running || s->watch.run_ns)
        return;
    s->watch.run_ns = run_now_ns();
    keep_mounts(s);
}

static void end_of_report(struct stage *s)
{
    stage_close(&s->report_in);
    s->relay.in = -1;
}

/* Where the second stage asks comes first, or nothing before it closes the socket. */
static void hear_forks(struct stage *s, short events)
{
    if (s->order >= 0) {
        forks_hear(&s->forks, s->order);
        stage_close(&s->order);
    } else if (!(events & POLLIN)) {
        forks_close(&s->forks); /* nobody is left who could ask */
    } else if (!forks_answer(&s->forks)) {
        watch_processes(&s->watch, run_now_ns());
    }
}

/* The host does nothing with a report before its end, so it is not woken for each line, but before
 * much has come together, and every so often. */
static void turn(struct stage *s)
{
    uint64_t now = run_now_ns();
    bool due = relay_is_full(&s->relay) || now >= s->watch.look_ns;
    struct pollfd fds[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = relay_reads(&s->relay) ? s->relay.in : -1, .events = POLLIN},
        {.fd = s->log_in, .events = POLLIN},
        {.fd = s->relay.out, .events = relay_is_full(&s->relay) ? POLLOUT : 0},
        {.fd = s->order >= 0 ? s->order : forks_in(&s->forks), .events = POLLIN},
    };
    int timeout = watch_look(&s->watch, now);
    if (poll(fds, 5, timeout) < 0 && errno != EINTR)
        return;
    if (fds[1].revents && !relay_read(&s->relay))
        end_of_report(s);
    note_progress(s);
    if (fds[2].revents && !read_log(s))
        stage_close(&s->log_in);
    if ((fds[3].revents & (POLLERR | POLLHUP)) || (due && !relay_write(&s->relay))) {
        s->orphaned = true; /* the host is gone: nobody wants the result */
        return;
    }
    if (fds[4].revents)
        hear_forks(s, fds[4].revents);
    if (fds[0].revents)
        take_signals(s);
}

/* ---- after ---- */

/* All writers are dead, so what is in the pipes is all there is. */
static void drain(struct stage *s)
{
    while (s->relay.in >= 0 && !s->orphaned) {
        if (!relay_read(&s->relay))
            end_of_report(s);
        if (!relay_is_full(&s->relay))
            continue; /* it goes with the rest */
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
                 (unsigned long long)s->terms.cpu_seconds);
        detail = text;
    } else if (!end && number == SIGXFSZ) {
        end = STAGE_LIMIT;
        snprintf(text, sizeof text, "it wrote a file of %llu MiB, the limit",
                 (unsigned long long)(s->terms.scratch_bytes >> 20));
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
    uint64_t rss = (uint64_t)s->usage.ru_maxrss * 1024;
    put_end(s, &line);
    json_kv_int(&line, "foreign", (int64_t)s->relay.foreign);
    json_kv_int(&line, "left_behind", left_behind);
    json_kv_int(&line, "cpu_ns", (int64_t)(cpu_ns(&usage) - cpu_ns(&s->before)));
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
    char *tail = s->apart->tail;
    size_t len = log_tail_copy(&s->log, tail);
    for (size_t done = 0; done < len && !s->orphaned;) {
        ssize_t n = write(STDERR_FILENO, tail + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
}

/* The job could not be started: say why, if it is known to whom. */
static bool give_up(const struct stage *s, const struct err *e)
{
    struct bytes line = BYTES_INIT(8192);
    bytes_printf(&line, NONCE_HEAD "%s\",\"stage\":{", s->terms.nonce);
    json_kv_string(&line, "end", STAGE_ERROR);
    json_kv_string(&line, "detail", e->detail);
    bytes_text(&line, "}}\n");
    ssize_t n = write(REPORT_FD, line.data, line.len);
    bool ok = n == (ssize_t)line.len;
    bytes_release(&line);
    return ok;
}

static void run(struct stage *s)
{
    while (!s->ended && !s->orphaned)
        turn(s);
    if (s->orphaned)
        kill(s->pid, SIGKILL);
    unsigned left_behind = children_sweep(s->confine.own ? s->confine.uid : 0);
    drain(s);
    put_stage(s, left_behind);
    send_rest(s);
}

static void clean_up(struct stage *s)
{
    if (s->started) {
        stage_close(&s->report_in);
        stage_close(&s->log_in);
        stage_close(&s->order);
        forks_close(&s->forks);
        scratch_settle(&s->scratch);
        s->pid = 0;
    }
    terms_release(&s->terms);
    /* What a flood of lines took is given back. */
    if (s->apart && s->relay.swollen)
        (void)madvise(s->apart, sizeof *s->apart, MADV_DONTNEED);
}

/* What is of one test only is gone; what is made ready stays. */
static struct stage *begin(int control)
{
    static struct stage s = {
        .signals = -1, .mounts = -1, .order = -1, .log_in = -1, .report_in = -1};
    memset(&s.terms, 0, sizeof s - offsetof(struct stage, terms));
    s.control = control;
    s.self = getpid();
    return &s;
}

int first_stage(int control)
{
    struct stage *s = begin(control);
    struct err e;
    int status = 0;
    if (!terms_read(STDIN_FILENO, &s->terms, &e)) {
        (void)dprintf(STDERR_FILENO, "%s\n", e.detail);
        return 2;
    }
    /* Looking after a fork bomb is work too. */
    (void)setpriority(PRIO_PROCESS, 0, s->terms.nice);
    if (stage_start(s, &e))
        run(s);
    else
        status = give_up(s, &e) ? 0 : 1;
    clean_up(s);
    return status;
}

void first_stage_prepare(int control)
{
    struct stage *s = begin(control);
    struct err e;
    if (*s->scratch.parent && !s->pid && !stage_prepare(s, s->scratch.parent, true, &e))
        stage_forget(s); /* whoever needs it will hear why */
}

void first_stage_rest(void)
{
    stage_close(&begin(-1)->mounts);
}

void first_stage_forget(void)
{
    struct stage *s = begin(-1);
    stage_forget(s);
}
