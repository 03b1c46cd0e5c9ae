/* baseline: the run that a model's runs are compared with, where somebody pinned one.
 * Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_BASELINE_H
#define PADDOCK_REGISTRY_BASELINE_H

#include "registry/documents.h"

struct baseline {
    struct document_head head; /* id is the model_id */
    const char *run_id;
    const char *baseline_model_id; /* whose run that is; set by the server */
};

static inline const struct baseline *baseline_of(const struct document *d)
{
    return (const struct baseline *)d->fields;
}

extern const struct field BASELINE_FIELDS[];

/* PUT ~/validation/baseline/{model_id}: c->id is the model's id, c->args says what the run in the
 * body is, which whoever asks has looked up. */
struct baseline_run {
    const char *run_id, *model_id;
};
bool baseline_pin(struct command *c, struct head *h, struct changes *out, struct err *e);
/* DELETE */
bool baseline_unpin(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
