/* watch: the clock, the memory and the disk of a second stage. Room: worker.
 * Threads: the first stage's only one. */
#ifndef PADDOCK_WORKER_WATCH_H
#define PADDOCK_WORKER_WATCH_H

#include "worker/job.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watch {
    const struct terms *terms;
    const char *scratch;
    pid_t pid;
    uint64_t start_ns, run_ns; /* run_ns 0: run() has not begun */
    uint64_t look_ns;          /* next look at memory and disk */
    uint64_t max_rss;
    const char *end; /* STAGE_*, once it has been decided to end it; NULL before */
    char detail[256];
    uint64_t kill_ns; /* SIGTERM was sent, SIGKILL comes then; 0: none */
    bool hard;        /* SIGKILL was sent */
};

/* Look; kills what is over a limit. Returns the milliseconds until it wants to look again. */
int watch_look(struct watch *w, uint64_t now_ns);
/* End it: SIGTERM, and SIGKILL 100 ms later. The first reason stays. */
void watch_end(struct watch *w, const char *end, uint64_t now_ns, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* End it at once: it has more processes than it may. */
void watch_processes(struct watch *w, uint64_t now_ns);

#endif
