/* worker_spawn: start paddock-worker with its descriptors. Room: extend. Threads: [any]. */
#ifndef PADDOCK_EXTEND_WORKER_SPAWN_H
#define PADDOCK_EXTEND_WORKER_SPAWN_H

#include "base/err.h"
#include "extend/worker_process.h"

#include <stddef.h>
#include <sys/types.h>

/* A first stage of the nursery, doing a test. */
struct kept {
    pid_t pid; /* 0: none */
    int fd;    /* our end of its socket */
};

struct spawned {
    pid_t pid;
    struct kept kept;      /* with a pid: goes back to the nursery instead of being waited for */
    int report_fd, log_fd; /* read ends, non-blocking, close-on-exec */
    int input_fd;          /* of worker_spawn_asked(): a socket to send to; else -1 */
};

/* Run `argv` with `input` on descriptor 0, the log on 1 and 2, the report on 3, nothing else open,
 * a clean environment, default signals (SIGTERM blocked), and a process group of its own. The
 * caller waits for it. */
bool worker_spawn(const char *const *argv, const void *input, size_t len, struct spawned *out,
                  struct err *e) MUST_CHECK;

/* The same for one test, whose job is the input: by a first stage of `nursery` if that is not NULL
 * and has one, else by starting the program. */
bool worker_spawn_test(const struct worker_settings *settings, struct nursery *nursery,
                       const void *job, size_t len, struct spawned *out, struct err *e) MUST_CHECK;

/* The same with a descriptor 0 that goes on being written to. */
bool worker_spawn_asked(const char *const *argv, struct spawned *out, struct err *e) MUST_CHECK;

/* What becomes descriptor 0, 1 and 2, 3 of a worker; each above 3. */
struct worker_ends {
    int input, log, report;
};

/* Only the start of the program with these ends, which stay the caller's. Returns 0 or an error
 * number. */
int worker_exec(const char *const *argv, const struct worker_ends *ends, pid_t *pid) MUST_CHECK;

#endif
