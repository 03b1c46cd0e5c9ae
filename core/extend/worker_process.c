#include "extend/worker_process.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"
#include "extend/job_text.h"
#include "extend/log_tail.h"
#include "extend/nursery.h"
#include "extend/worker_report.h"
#include "extend/worker_spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEED_MAX  (1u << 20)  /* bytes read in one worker_feed() */
#define ARENA_MAX (64u << 20) /* of a result */
#define GRACE_MS  10000       /* past its own deadlines a worker must have ended */
#define CANCEL_MS 5000
#define NS_PER_MS INT64_C(1000000)

struct worker {
    pid_t pid;
    struct nursery *nursery; /* where it may come from */
    struct kept kept;        /* it does */
    bool signalled;
    int report_fd, log_fd;
    int ended[2], n_ended; /* pipes at their end: others may still have events for their numbers */
    bool cancelled;
    bool waited; /* the process has been waited for; the result is made */
    int64_t start_ns, wake_ns;
    struct arena *arena;
    struct worker_report report;
    struct log_tail log;
    struct worker_result result;
};

static int64_t now(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

struct worker *worker_start(const struct worker_settings *settings, const struct test_job *job,
                            struct err *e)
{
    struct bytes text = BYTES_INIT(JOB_TEXT_MAX);
    struct spawned spawned;
    char nonce[NONCE_LEN + 1];
    uint8_t random[NONCE_LEN / 2];
    int64_t start_ns = now();
    struct worker *w = NULL;
    bool runtime = job->subject.runtime_file || (job->baseline && job->baseline->runtime_file);
    struct nursery *nursery = runtime ? settings->nursery_http : settings->nursery;
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, nonce);
    if (!job_text_write(settings, job, nonce, &text, e) ||
        !worker_spawn_test(settings, nursery, text.data, text.len, &spawned, e))
        goto out;
    w = mem_zero(1, sizeof *w);
    w->pid = spawned.pid;
    w->nursery = nursery;
    w->kept = spawned.kept;
    w->report_fd = spawned.report_fd;
    w->log_fd = spawned.log_fd;
    w->start_ns = start_ns;
    w->wake_ns = start_ns + (WORKER_LOAD_MS + job->timeout_ms + GRACE_MS) * NS_PER_MS;
    w->arena = arena_new(ARENA_MAX);
    w->log = (struct log_tail){.size = REPORT_LOG};
    worker_report_init(&w->report, nonce, w->arena);
out:
    bytes_release(&text);
    return w;
}

int worker_report_fd(const struct worker *w)
{
    return w->report_fd;
}

int worker_log_fd(const struct worker *w)
{
    return w->log_fd;
}

int64_t worker_wake_ns(const struct worker *w)
{
    return w->wake_ns;
}

static void take_report(struct worker *w, const char *data, size_t len)
{
    worker_report_feed(&w->report, data, len);
}

static void take_log(struct worker *w, const char *data, size_t len)
{
    log_tail_add(&w->log, data, len);
}

/* Read until there is no more, or enough for once. */
static void drain(struct worker *w, int *fd, void (*take)(struct worker *, const char *, size_t))
{
    char chunk[65536];
    for (size_t total = 0; *fd >= 0 && total < FEED_MAX;) {
        ssize_t n = read(*fd, chunk, sizeof chunk);
        if (n > 0) {
            take(w, chunk, (size_t)n);
            total += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else {
            w->ended[w->n_ended++] = *fd;
            *fd = -1;
        }
    }
}

static int wait_for_end(struct worker *w)
{
    int status = 0;
    if (w->kept.pid)
        return nursery_give_back(w->nursery, &w->kept, !w->signalled);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void send_signal(struct worker *w, int number)
{
    kill(w->pid, number);
    w->signalled = true;
}

/* Its pipes are closed, so it has ended or is about to. */
static void finish(struct worker *w)
{
    int status = wait_for_end(w);
    char *log = mem_alloc(REPORT_LOG + 1);
    size_t len = log_tail_clean(log, log_tail_copy(&w->log, log));
    log[len] = '\0';
    worker_report_result(&w->report, status, &w->result);
    if (w->cancelled && !w->report.stage.told) { /* it had to be killed */
        w->result.cancelled = true;
        w->result.message = "cancelled";
    }
    w->result.log = log;
    w->result.log_len = len;
    w->result.log_total = w->log.total;
    w->result.total_ms = (double)(now() - w->start_ns) / 1e6;
    w->waited = true;
}

void worker_feed(struct worker *w, int64_t now_ns)
{
    if (w->waited)
        return;
    if (now_ns >= w->wake_ns) { /* it does not answer any more */
        send_signal(w, SIGKILL);
        w->wake_ns = now_ns + 100 * NS_PER_MS;
    }
    drain(w, &w->report_fd, take_report);
    drain(w, &w->log_fd, take_log);
    if (w->report_fd < 0 && w->log_fd < 0)
        finish(w);
}

void worker_cancel(struct worker *w)
{
    if (w->waited)
        return;
    w->cancelled = true;
    send_signal(w, SIGTERM);
    int64_t latest = now() + CANCEL_MS * NS_PER_MS;
    if (latest < w->wake_ns)
        w->wake_ns = latest;
}

bool worker_done(const struct worker *w)
{
    return w->waited;
}

const struct worker_result *worker_result(const struct worker *w)
{
    return &w->result;
}

/* Wait until something is readable, or it is time to look. */
static void wait_for(const struct worker *w)
{
    struct pollfd fds[2] = {{.fd = w->report_fd, .events = POLLIN},
                            {.fd = w->log_fd, .events = POLLIN}};
    int64_t left_ms = (w->wake_ns - now()) / NS_PER_MS + 1;
    (void)poll(fds, 2, left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms);
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    if (!w->waited)
        worker_cancel(w);
    while (!w->waited) {
        wait_for(w);
        worker_feed(w, now());
    }
    while (w->n_ended > 0)
        close(w->ended[--w->n_ended]);
    free((char *)(uintptr_t)w->result.log);
    log_tail_release(&w->log);
    worker_report_release(&w->report);
    arena_free(w->arena);
    free(w);
}

struct worker *worker_run(const struct worker_settings *settings, const struct test_job *job,
                          struct err *e)
{
    struct worker *w = worker_start(settings, job, e);
    while (w && !worker_done(w)) {
        wait_for(w);
        worker_feed(w, now());
    }
    return w;
}
