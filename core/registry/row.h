/* row: what lists filter and sort models by, in one cache line. Room: registry. Threads: immutable,
 * [any].
 *
 * The index of models by id keeps a row beside each pointer, so that a pass over 100,000 models
 * reads their rows one after the other and visits only the models it has use for: a visit is a
 * cache miss, and one for each of the models made a pass three times as long. */
#ifndef PADDOCK_REGISTRY_ROW_H
#define PADDOCK_REGISTRY_ROW_H

#include "registry/model.h"

#include <stdint.h>

struct model_row {
    int64_t created_at, updated_at;
    uint64_t version_key;
    uint64_t labels;                               /* label_bits() of all its labels */
    uint32_t type, sport, deployment_target, name; /* intern_id() */
    uint32_t source_digest, training_run_id;       /* text_mark() */
    uint8_t status;
    bool aliased;
};

struct model_row model_row_of(const struct model *m);
/* Bits of one label, both given as in JSON: without its quotes the key, with them the value. A
 * model that lacks one of the bits lacks the label. */
uint64_t label_bits(struct slice key, struct slice value);
/* 32 bits of a text; 0 for NULL. Different marks, different texts. */
uint32_t text_mark(const char *text);

#endif
