/* job: what the host asked for, read from standard input. Room: worker. Threads: read-only after
 * job_read(), [any]. core/extend/job_text.h writes it. */
#ifndef PADDOCK_WORKER_JOB_H
#define PADDOCK_WORKER_JOB_H

#include "base/err.h"
#include "extend/worker_protocol.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOB_DATASETS 32

struct dataset_source {
    const char *name, *path, *sha256, *format, *label; /* NULL as in struct job_dataset */
    int fd;                                            /* opened by the first stage */
};

struct model_source {
    bool given;
    const char *model_id, *name, *version, *status;
    const char *runtime_file; /* NULL: no runtime */
    const json_t *runtime;    /* NULL: no runtime */
    int fd;                   /* of runtime_file */
};

struct job {
    json_t *root; /* owns all texts */
    char nonce[NONCE_LEN + 1];
    const char *plugin_file, *plugin_sha256; /* sha256 NULL: not checked */
    const char *test_id, *name;
    const char *user; /* NULL: a number of our own */
    const char *scratch_dir;
    const json_t *config;
    struct dataset_source datasets[JOB_DATASETS];
    size_t n_datasets;
    struct model_source subject, baseline;
    uint64_t seed;
    int64_t timeout_ms;
    int nice;
    uint64_t memory_bytes, scratch_bytes, cpu_seconds;
    unsigned processes, open_files;
    int plugin_fd;
};

/* Read and check the job on descriptor `fd`. */
bool job_read(int fd, struct job *job, struct err *e) MUST_CHECK;

#endif
