/* job: what the host asked for, read from standard input. Room: worker. Threads: read-only after
 * it has been read, [any]. core/extend/job_text.h writes it. */
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
    int fd;                                            /* opened before the rights are given up */
};

struct model_source {
    bool given;
    const char *model_id, *name, *version, *status;
    const char *runtime_file; /* NULL: no runtime */
    const json_t *runtime;    /* NULL: no runtime */
    int fd;                   /* of runtime_file */
};

/* What the first stage must know. */
struct terms {
    json_t *root; /* owns all texts */
    char nonce[NONCE_LEN + 1];
    const char *user; /* NULL: a number of our own */
    const char *scratch_dir;
    int64_t timeout_ms;
    int nice;
    uint64_t memory_bytes, scratch_bytes, cpu_seconds;
    unsigned processes, open_files;
    size_t len; /* of their line: the rest of the job begins there */
};

/* The rest, which may hold secrets: read by the second stage only. */
struct job {
    json_t *root; /* owns all texts */
    int64_t timeout_ms;
    const char *plugin_file, *plugin_sha256; /* sha256 NULL: not checked */
    const char *test_id, *name;
    const json_t *config;
    struct dataset_source datasets[JOB_DATASETS];
    size_t n_datasets;
    struct model_source subject, baseline;
    uint64_t seed;
    int plugin_fd;
};

/* Read and check the first line of the job on descriptor `fd`. */
bool terms_read(int fd, struct terms *terms, struct err *e) MUST_CHECK;
void terms_release(struct terms *terms);
/* Read and check what follows it. */
bool job_read(int fd, const struct terms *terms, struct job *job, struct err *e) MUST_CHECK;
/* Open its files, which whoever has given up its rights could not any more. */
bool job_open(struct job *job, struct err *e) MUST_CHECK;

#endif
