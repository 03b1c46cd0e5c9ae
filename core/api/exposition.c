#include "api/exposition.h"

#include "api/handlers.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* --- the process, by the names all Prometheus clients use --- */

static double resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    double n = -3; /* ".", ".." and the directory's own */
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n > 0 ? n : 0;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void exposition_put_process(struct text_format *t, const struct api *api)
{
    struct rusage used;
    struct rlimit files;
    getrusage(RUSAGE_SELF, &used);
    metric_counter(t, "process_cpu_seconds", "User and system time.",
                   seconds_of(used.ru_utime) + seconds_of(used.ru_stime));
    metric_gauge(t, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
    metric_gauge(t, "process_open_fds", "Open file descriptors.", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        metric_gauge(t, "process_max_fds", "Most file descriptors that may be open.",
                     (double)files.rlim_cur);
    metric_gauge(t, "process_start_time_seconds", "When the server started, since 1970.",
                 (double)api->started_ms / 1000);
}

/* --- the whole --- */

static bool exposition_render(struct work *w)
{
    struct text_format t = {.out = &w->out, .openmetrics = strstr(w->type, "openmetrics") != NULL};
    exposition_put_server(&t, w->api);
    exposition_put_selection(&t, w);
    exposition_put_process(&t, w->api);
    exposition_put_models(&t, w);
    metrics_end(&t);
    return true;
}

void exposition_get(struct request *rq)
{
    static const char OPENMETRICS[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    static const char PLAIN[] = "text/plain; version=0.0.4; charset=utf-8";
    struct call c;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    bool plain =
        call_accepts(rq, "text/plain") && !call_accepts(rq, "application/openmetrics-text");
    work_answer_typed(&c, true, exposition_render, NULL, plain ? PLAIN : OPENMETRICS);
}
