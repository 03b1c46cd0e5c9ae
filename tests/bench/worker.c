/* What a test costs beside its own work:
 * worker WORKER PLUGIN [RUNTIME] [COUNT] [PARALLEL] [anew|apart]
 *
 * Runs the plugin COUNT times (200), PARALLEL at once (1), and prints the milliseconds from
 * worker_start() to the result, the processor time of the second stage, and beside them what takes
 * as long as it takes here: an empty process with the same protections, and /bin/true. Workers come
 * from the nursery, as in the server, one test right after the other; with "anew" each is started
 * by itself, with "apart" there is a pause before each, as where somebody asks for one. With
 * RUNTIME (a plugin, or "-" for none) its model has that runtime, with the description in the
 * environment variable RUNTIME_CONFIG. */
#include "base/clock.h"
#include "base/mem.h"
#include "extend/nursery.h"
#include "extend/worker_process.h"
#include "worker/confine.h"
#include "worker/scratch.h"

#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARALLEL_MAX 64
#define APART_US     25000

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void wait_for_any(struct worker **running, size_t n)
{
    struct pollfd fds[2 * PARALLEL_MAX];
    for (size_t i = 0; i < n; i++) {
        fds[2 * i] =
            (struct pollfd){.fd = running[i] ? worker_report_fd(running[i]) : -1, .events = POLLIN};
        fds[2 * i + 1] =
            (struct pollfd){.fd = running[i] ? worker_log_fd(running[i]) : -1, .events = POLLIN};
    }
    (void)poll(fds, 2 * n, 1000);
}

/* Note the result and make room; false if the test did not pass. */
static bool take(struct worker **w, double *total, double *cpu)
{
    const struct worker_result *r = worker_result(*w);
    bool passed = r->status == WORKER_PASSED;
    if (!passed)
        fprintf(stderr, "%s: %s\n%s", WORKER_STATUS_NAMES[r->status], r->message, r->log);
    *total = r->total_ms - r->duration_ms;
    *cpu += r->cpu_ms;
    worker_free(*w);
    *w = NULL;
    return passed;
}

static bool run_all(const struct worker_settings *settings, const struct test_job *job,
                    size_t parallel, size_t count, bool apart, double *totals, double *cpu)
{
    struct worker *running[PARALLEL_MAX] = {NULL};
    struct err e;
    size_t started = 0, done = 0;
    while (done < count) {
        for (size_t i = 0; i < parallel; i++) {
            if (!running[i] && started < count) {
                if (apart)
                    usleep(APART_US);
                running[i] = worker_start(settings, job, &e);
                started++;
                if (!running[i]) {
                    fprintf(stderr, "%s\n", e.detail);
                    return false;
                }
            }
        }
        wait_for_any(running, parallel);
        for (size_t i = 0; i < parallel; i++) {
            if (!running[i])
                continue;
            worker_feed(running[i], clock_mono_ns(&CLOCK_SYSTEM));
            if (worker_done(running[i]) && !take(&running[i], &totals[done++], cpu))
                return false;
        }
    }
    return true;
}

#define FLOOR_RUNS 50

static double median_ms(bool (*once)(void))
{
    double times[FLOOR_RUNS];
    for (size_t i = 0; i < FLOOR_RUNS; i++) {
        int64_t start = clock_mono_ns(&CLOCK_SYSTEM);
        if (!once())
            return 0;
        times[i] = (double)(clock_mono_ns(&CLOCK_SYSTEM) - start) / 1e6;
    }
    qsort(times, FLOOR_RUNS, sizeof *times, by_value);
    return times[FLOOR_RUNS / 2];
}

/* A process that does nothing, started and waited for. */
static bool run_true(void)
{
    char name[] = "/bin/true", *argv[] = {name, NULL};
    pid_t pid;
    return posix_spawn(&pid, name, NULL, NULL, argv, argv + 1) == 0 && waitpid(pid, NULL, 0) == pid;
}

/* The least that a test needs: a directory, and a process of its own that has given up its rights,
 * forked from this small one. Nothing is loaded, said or watched. */
static bool run_confined(void)
{
    struct confine c = {.memory_bytes = 2ull << 30,
                        .scratch_bytes = 256ull << 20,
                        .cpu_seconds = 10,
                        .processes = 128,
                        .open_files = 256};
    char scratch[4096];
    struct err e;
    int status;
    if (!confine_user(NULL, getpid(), &c, &e) ||
        !scratch_make("/tmp", c.uid, c.gid, scratch, sizeof scratch, &e))
        return false;
    c.scratch = scratch;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        _exit(confine_self(&c, &e) ? 0 : 1);
    }
    bool ok = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
    scratch_remove(scratch);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr,
                "usage: worker WORKER PLUGIN [RUNTIME|-] [COUNT] [PARALLEL] [anew|apart]\n");
        return 2;
    }
    const char *config = getenv("RUNTIME_CONFIG");
    bool runtime = argc > 3 && strcmp(argv[3], "-") != 0;
    size_t count = argc > 4 ? strtoul(argv[4], NULL, 10) : 200;
    size_t parallel = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;
    bool anew = argc > 6 && strcmp(argv[6], "anew") == 0;
    bool apart = argc > 6 && strcmp(argv[6], "apart") == 0;
    struct worker_settings settings = {.program = argv[1], .nursery = NULL};
    if (!anew) {
        settings.nursery = nursery_new(argv[1], NURSERY_PLAIN);
        settings.nursery_http = nursery_new(argv[1], NURSERY_HTTP);
    }
    struct test_job job = {.plugin_file = argv[2],
                           .subject = {.model_id = "m:1",
                                       .name = "m",
                                       .version = "1",
                                       .runtime = runtime ? config ? config : "{}" : NULL,
                                       .runtime_file = runtime ? argv[3] : NULL},
                           .timeout_ms = 60000};
    if (count == 0 || parallel == 0 || parallel > PARALLEL_MAX)
        return 2;
    double *totals = mem_zero(count, sizeof *totals), cpu = 0;
    double process = median_ms(run_true), confined = median_ms(run_confined);
    int64_t start = clock_mono_ns(&CLOCK_SYSTEM);
    if (!run_all(&settings, &job, parallel, count, apart, totals, &cpu))
        return 1;
    double seconds = (double)(clock_mono_ns(&CLOCK_SYSTEM) - start) / 1e9;
    qsort(totals, count, sizeof *totals, by_value);
    printf("%zu runs, %zu at once: over its own time p50 %.2f ms, p90 %.2f ms, p99 %.2f ms; "
           "%.0f runs/s; %.2f ms of processor time each; an empty process with its protections "
           "%.2f ms, /bin/true %.2f ms\n",
           count, parallel, totals[count / 2], totals[count * 9 / 10], totals[count * 99 / 100],
           (double)count / seconds, cpu / (double)count, confined, process);
    free(totals);
    nursery_free(settings.nursery);
    nursery_free(settings.nursery_http);
    return 0;
}
