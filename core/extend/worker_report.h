/* worker_report: reads what a worker says on descriptor 3, and computes the verdict.
 * Room: extend. Threads: one owner.
 *
 * It trusts nothing: sizes are bounded, texts made valid UTF-8, lines without the run's nonce only
 * counted. See extend/worker_protocol.h for the lines. */
#ifndef PADDOCK_EXTEND_WORKER_REPORT_H
#define PADDOCK_EXTEND_WORKER_REPORT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "extend/worker_process.h"
#include "extend/worker_protocol.h"

/* How the second stage ended, by the first. */
struct stage_end {
    bool told; /* the line came */
    char end[16];
    int code, signal;
    uint64_t foreign; /* bytes on descriptor 3 that were not the host's */
    unsigned left_behind;
    uint64_t cpu_ns, max_rss;
    const char *detail;
};

struct worker_report {
    struct arena *arena; /* texts and arrays of the result */
    char nonce[NONCE_LEN + 1];
    struct bytes line;
    bool skipping;  /* within a line that was too long */
    size_t total;   /* bytes seen */
    size_t foreign; /* lines that are not from our worker */
    bool overrun;   /* more than REPORT_TOTAL or what the arena holds */
    struct worker_check *checks;
    struct worker_measurement *measurements;
    size_t n_checks, room_checks, n_measurements, room_measurements, n_values;
    uint64_t checks_total, checks_claimed;
    const char *plugin_id, *plugin_version;
    const char *error, *fault, *skip, *failed, *crash; /* the first of each */
    bool running, ended;
    double duration_ms;
    struct stage_end stage;
};

/* `nonce`: 32 hexadecimal digits. release() does not free the arena. */
void worker_report_init(struct worker_report *r, const char *nonce, struct arena *arena);
void worker_report_release(struct worker_report *r);
/* The next bytes from the pipe. */
void worker_report_feed(struct worker_report *r, const char *data, size_t len);
/* All has come. Fill in status, signal, message, checks, measurements, duration, use of resources.
 * `wait_status`: of the first stage, as from waitpid(). */
void worker_report_result(struct worker_report *r, int wait_status, struct worker_result *out);

#endif
