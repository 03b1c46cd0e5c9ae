/* worker_process: one run of the program paddock-worker, which loads other people's code.
 * Room: extend. Threads: [any], one owner at a time for each worker.
 *
 * It has no event loop of its own. The owner starts a worker, polls its two descriptors, calls
 * worker_feed() when one is readable or the time of worker_wake_ns() has come, and takes the result
 * when worker_done(). worker_run() is the same in one blocking call, for the command line and
 * tests. The worker enforces the deadline itself; the owner's wake-up is only for a worker that was
 * stopped or is starved.
 *
 * The verdict is computed here from what was reported; see sdk/include/paddock/plugin.h. */
#ifndef PADDOCK_EXTEND_WORKER_PROCESS_H
#define PADDOCK_EXTEND_WORKER_PROCESS_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The job: all texts are borrowed until worker_start() returns ---- */

/* A file for the test. The worker reads it before it gives up its rights. */
struct job_dataset {
    const char *name;
    const char *path;
    const char *sha256; /* 64 hexadecimal digits, checked; NULL: not checked */
    const char *format; /* "csv", "jsonl", "npy"; NULL: by the name's ending */
    const char *label;  /* column with the answers; NULL: none. npy: the last column's number */
};

struct job_model {
    const char *model_id, *name, *version, *status;
    const char *runtime; /* JSON object as in the API ("kind" included), secrets already put in;
                            NULL: the model cannot be called */
    const char *runtime_file; /* the plugin of its kind; NULL as above */
};

struct job_limits {
    uint64_t memory_bytes;  /* of one process; 0: 2 GiB */
    uint64_t scratch_bytes; /* private directory, and each file; 0: 256 MiB */
    uint64_t cpu_seconds;   /* 0: four times the timeout */
    unsigned processes;     /* and threads at once; 0: 64, or 4 for each processor if more */
    unsigned open_files;    /* 0: 256 */
};

struct test_job {
    const char *plugin_file;   /* absolute path of the shared object */
    const char *plugin_sha256; /* checked before it is loaded; NULL: not checked */
    const char *test_id, *name;
    const char *config; /* JSON object, checked and filled in by the worker too; NULL: {} */
    const struct job_dataset *datasets;
    size_t n_datasets;
    struct job_model subject;
    const struct job_model *baseline; /* NULL: none */
    uint64_t seed;
    int64_t timeout_ms; /* of the test alone, loading not counted; 1..86400000 */
    struct job_limits limits;
    int nice; /* 0..19 */
};

struct nursery;

/* How workers are run here. Texts are borrowed for the life of the workers. */
struct worker_settings {
    const char *program;     /* paddock-worker */
    const char *user;        /* who runs plugins when we are root; NULL: "nobody" */
    const char *scratch_dir; /* private directories are made in it; NULL: /tmp */
    /* Where tests without and with a runtime come from (extend/nursery.h); NULL: each is started
     * anew. */
    struct nursery *nursery, *nursery_http;
};

/* ---- The result: lives as long as the worker ---- */

enum worker_status {
    WORKER_PASSED,
    WORKER_FAILED,
    WORKER_ERROR,
    WORKER_TIMEOUT,
    WORKER_CRASHED,
    WORKER_SKIPPED,
};

extern const char *const WORKER_STATUS_NAMES[]; /* "passed", ...; ended by NULL */

struct worker_check {
    const char *name;
    const char *detail;
    bool ok;
    bool warn; /* level "warn", not "fail" */
};

struct worker_measurement {
    const char *name;
    const char *unit; /* NULL: none */
    double value;
    unsigned better; /* PADDOCK_NEITHER, PADDOCK_LOWER, ... */
    bool critical;
    double target;                          /* of PADDOCK_TARGET */
    double margin_ratio;                    /* 0: default */
    uint64_t samples;                       /* 0: unknown */
    double variance;                        /* NAN: unknown */
    const double *values, *baseline_values; /* NULL: not given */
    size_t n_values;
};

struct worker_result {
    enum worker_status status;
    int signal;                             /* of WORKER_CRASHED */
    bool cancelled;                         /* by worker_cancel(); the status is WORKER_ERROR */
    const char *message;                    /* one sentence: why this status; never NULL */
    const char *plugin_id, *plugin_version; /* NULL if it could not be loaded */
    const struct worker_check *checks;
    size_t n_checks;       /* listed, at most 1,000 */
    uint64_t checks_total; /* reported */
    const struct worker_measurement *measurements;
    size_t n_measurements; /* at most 1,000 */
    const char *log;       /* the newest 64 KiB of stdout, stderr and log(); made valid UTF-8 */
    size_t log_len;
    uint64_t log_total; /* bytes written */
    double duration_ms; /* of run() alone; 0 if it was not reached */
    double total_ms;    /* from worker_start() to the end */
    double cpu_ms;      /* of all its processes */
    uint64_t max_rss_bytes;
    unsigned left_behind; /* processes that the test left and that were killed */
};

/* ---- Running ---- */

struct worker;

/* Start a worker. NULL if the job is impossible (ERR_INVALID) or no process could be made
 * (ERR_BUSY, ERR_INTERNAL). Free with worker_free(). */
struct worker *worker_start(const struct worker_settings *settings, const struct test_job *job,
                            struct err *e) MUST_CHECK;
/* Descriptors to poll for reading, non-blocking; -1 once they have ended. */
int worker_report_fd(const struct worker *w);
int worker_log_fd(const struct worker *w);
/* When worker_feed() is due even if nothing is readable, on the monotonic clock. */
int64_t worker_wake_ns(const struct worker *w);
/* Read what is there, without waiting; kill what is overdue. */
void worker_feed(struct worker *w, int64_t now_ns);
/* Ask it to end now. The result comes as ever, within a few milliseconds. */
void worker_cancel(struct worker *w);
/* All has been read and its processes are gone. */
bool worker_done(const struct worker *w);
/* The result; only when done. */
const struct worker_result *worker_result(const struct worker *w);
/* End it if it runs still (waiting for its processes), and free it. NULL is allowed. */
void worker_free(struct worker *w);

/* All of that at once, waiting. The worker with its result, or NULL as from worker_start(). */
struct worker *worker_run(const struct worker_settings *settings, const struct test_job *job,
                          struct err *e) MUST_CHECK;

/* What a plugin says of itself, by `paddock-worker --describe`: JSON text from the arena,
 * {"kind","id","version","summary","abi":[1,0],"flags":[...],"config":[fields...],"schema":{...},
 * "sha256"}. Waits, at most 10 seconds. NULL with ERR_INVALID and the reason if the file is no
 * plugin that this host can load. */
const char *worker_describe(const struct worker_settings *settings, const char *file,
                            struct arena *a, struct err *e) MUST_CHECK;

#endif
