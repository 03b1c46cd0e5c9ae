/* dataset: a file of the test case in memory, as columns. Room: worker.
 * Threads: read-only after loading, [any]. */
#ifndef PADDOCK_WORKER_DATASET_H
#define PADDOCK_WORKER_DATASET_H

#include "base/arena.h"
#include "base/err.h"
#include "worker/job.h"

#include <paddock/plugin.h>

#define DATASET_BYTES   (1u << 30) /* of a file */
#define DATASET_COLUMNS 10000

struct dataset {
    paddock_dataset pub;
    struct arena *arena; /* owns names, columns and data */
};

/* Read the file behind `source->fd`, compare its SHA-256, parse it by its format. ERR_INVALID names
 * the line or column at fault. Never released: it lives as long as the process. */
bool dataset_load(const struct dataset_source *source, struct dataset *out, struct err *e)
    MUST_CHECK;

/* The formats. `text` is the whole file; columns go to d->pub, memory from d->arena. */
bool csv_parse(const char *text, size_t len, struct dataset *d, struct err *e) MUST_CHECK;
bool jsonl_parse(const char *text, size_t len, struct dataset *d, struct err *e) MUST_CHECK;
/* `label`: number of the column with the answers (of a two-dimensional array), or NULL. */
bool npy_parse(const char *data, size_t len, const char *label, struct dataset *d, struct err *e)
    MUST_CHECK;

/* Memory for n elements of a datatype from d->arena, zeroed; NULL if there is none. */
void *dataset_memory(struct dataset *d, size_t n, uint32_t datatype) MUST_CHECK;
/* n columns, zeroed, into d->pub. */
paddock_tensor *dataset_columns(struct dataset *d, size_t n) MUST_CHECK;

#endif
