/* model: a model that the test may ask, behind its runtime plugin. Room: worker.
 * Threads: opened before run(); asked from [any]. What an ask hands out belongs to the asking
 * thread and lasts until its next ask of the same model. */
#ifndef PADDOCK_WORKER_MODEL_H
#define PADDOCK_WORKER_MODEL_H

#include "base/arena.h"
#include "base/err.h"
#include "worker/job.h"
#include "worker/load.h"

#include <paddock/plugin.h>
#include <pthread.h>

#define MODEL_OUTPUTS     64
#define MODEL_OUTPUT_MAX  (1u << 30) /* bytes of one answer, and of one set of rows */
#define MODEL_MESSAGE_MAX 1024

struct model {
    paddock_model pub; /* first: the plugin's pointer is ours */
    const paddock_runtime_ops *ops;
    void *self; /* NULL: there is no runtime */
    json_t *config;
    pthread_mutex_t lock; /* one call at a time, unless the runtime is parallel */
    pthread_mutex_t metadata_lock;
    const paddock_metadata *metadata; /* kept by us once it was asked for */
    struct arena *kept;
    pthread_key_t slots; /* struct slot * of each thread */
};

/* What one thread has of one model. */
struct slot {
    paddock_answer answer;
    paddock_tensor outputs[MODEL_OUTPUTS];
    char message[MODEL_MESSAGE_MAX];
    struct arena *memory; /* of the outputs */
    size_t used;          /* bytes of them */
    paddock_tensor *rows;
    size_t n_rows, row_bytes;
    void **row_data;
};

/* A call under way: what the runtime sees, and where its answer goes. */
struct call {
    paddock_call pub; /* first */
    struct slot *slot;
    uint32_t error;
    bool failed;
};

/* Load the runtime (from source->fd) and open the model. A model without a runtime opens, and fails
 * when asked. ERR_INVALID says what is wrong with the file, the configuration, or open() itself. */
bool model_open(const struct model_source *source, const char *scratch, struct model *out,
                struct err *e) MUST_CHECK;
/* Call the runtime's close(), if it was opened. */
void model_close(struct model *m);

/* This thread's slot; NULL if there is no memory. */
struct slot *model_slot(struct model *m);
/* Start a call with the deadline of now + timeout_ms (0: none of its own) or of the run. */
void model_call_start(struct call *c, struct slot *slot, uint64_t timeout_ms);
/* Note why it failed, unless that is known already. */
void model_call_fail(struct call *c, uint32_t error, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
