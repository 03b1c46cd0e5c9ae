#include "worker/watch.h"

#include "worker/children.h"

#include <fts.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define MS          UINT64_C(1000000)
#define LOOK_MS     25
#define LOOK_MAX_MS 250
#define TERM_MS     100
#define MEBIBYTE    (UINT64_C(1) << 20)
#define AS_MIB(n_)  ((unsigned long long)((n_) / MEBIBYTE))

void watch_end(struct watch *w, const char *end, uint64_t now_ns, const char *fmt, ...)
{
    if (w->end)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(w->detail, sizeof w->detail, fmt, args);
    va_end(args);
    w->end = end;
    w->kill_ns = now_ns + TERM_MS * MS;
    if (kill(-w->pid, SIGTERM) != 0) /* it has no group of its own yet */
        kill(w->pid, SIGTERM);
}

void watch_processes(struct watch *w, uint64_t now_ns)
{
    watch_end(w, STAGE_LIMIT, now_ns, "it had too many processes and threads, the limit is %u",
              w->terms->processes);
    w->kill_ns = now_ns; /* each moment there may be more of them */
}

/* What lies in the scratch directory, as far as it is not a memory disk that says no by itself. */
static uint64_t disk_used(const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    uint64_t sum = 0;
    for (FTSENT *entry; walk && (entry = fts_read(walk));)
        if (entry->fts_info == FTS_F)
            sum += (uint64_t)entry->fts_statp->st_blocks * 512;
    if (walk)
        fts_close(walk);
    return sum;
}

static void look_at_limits(struct watch *w, uint64_t now_ns)
{
    const struct terms *terms = w->terms;
    unsigned tasks;
    uint64_t memory = children_memory(terms->memory_bytes, &tasks);
    if (memory > w->max_rss)
        w->max_rss = memory;
    if (memory > terms->memory_bytes) {
        watch_end(w, STAGE_LIMIT, now_ns, "it used %llu MiB of memory, the limit is %llu",
                  AS_MIB(memory), AS_MIB(terms->memory_bytes));
        w->kill_ns = now_ns; /* memory does not wait */
        return;
    }
    if (tasks > terms->processes)
        watch_processes(w, now_ns);
    uint64_t disk = disk_used(w->scratch);
    if (disk > terms->scratch_bytes)
        watch_end(w, STAGE_LIMIT, now_ns, "it wrote %llu MiB to its directory, the limit is %llu",
                  AS_MIB(disk), AS_MIB(terms->scratch_bytes));
}

static uint64_t deadline(const struct watch *w)
{
    if (w->run_ns)
        return w->run_ns + (uint64_t)w->terms->timeout_ms * MS;
    return w->start_ns + WORKER_LOAD_MS * MS;
}

static void look_at_clock(struct watch *w, uint64_t now_ns)
{
    if (now_ns < deadline(w))
        return;
    if (w->run_ns)
        watch_end(w, STAGE_TIMEOUT, now_ns, "it was not over after %lld ms",
                  (long long)w->terms->timeout_ms);
    else
        watch_end(w, STAGE_TIMEOUT, now_ns, "it was not loaded after %d ms", WORKER_LOAD_MS);
}

static uint64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* A fork bomb is many processes to look at: no more than a tenth of a processor for that. */
static void look(struct watch *w, uint64_t now_ns)
{
    uint64_t before = cpu_ns();
    look_at_limits(w, now_ns);
    uint64_t pause = 10 * (cpu_ns() - before);
    if (pause < LOOK_MS * MS)
        pause = LOOK_MS * MS;
    w->look_ns = now_ns + (pause < LOOK_MAX_MS * MS ? pause : LOOK_MAX_MS * MS);
}

int watch_look(struct watch *w, uint64_t now_ns)
{
    look_at_clock(w, now_ns);
    if (now_ns >= w->look_ns) {
        w->look_ns = now_ns + LOOK_MS * MS;
        if (!w->end)
            look(w, now_ns);
    }
    if (w->kill_ns && !w->hard && now_ns >= w->kill_ns) {
        kill(-w->pid, SIGKILL);
        kill(w->pid, SIGKILL);
        w->hard = true;
    }
    uint64_t next = w->look_ns;
    if (w->kill_ns && !w->hard && w->kill_ns < next)
        next = w->kill_ns;
    if (!w->end && deadline(w) < next)
        next = deadline(w);
    return next <= now_ns ? 0 : (int)((next - now_ns + MS - 1) / MS);
}
