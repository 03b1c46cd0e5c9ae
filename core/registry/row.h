/* row: what lists filter and sort models by. Room: registry. Threads: immutable, [any].
 *
 * The index of models by id keeps the rows of a chunk beside its pointers, so that a pass over
 * 100,000 models visits only the models it has use for: a visit is a cache miss, and one for each
 * of the models made a pass three times as long. They are kept column by column: a list reads the
 * columns it filters and sorts by, some 20 of a row's 58 bytes, and compares them in vectors. */
#ifndef PADDOCK_REGISTRY_ROW_H
#define PADDOCK_REGISTRY_ROW_H

#include "registry/model.h"

#include <stddef.h>
#include <stdint.h>

#define ROWS_MAX 128 /* of a chunk */

struct model_rows {
    int64_t created_at[ROWS_MAX], updated_at[ROWS_MAX];
    uint64_t version_key[ROWS_MAX];
    uint64_t labels[ROWS_MAX]; /* label_bits() of all its labels */
    /* intern_id() */
    uint32_t type[ROWS_MAX], sport[ROWS_MAX], deployment_target[ROWS_MAX], name[ROWS_MAX];
    uint32_t source_digest[ROWS_MAX], training_run_id[ROWS_MAX]; /* text_mark() */
    uint8_t status[ROWS_MAX], aliased[ROWS_MAX];
};

void rows_set(struct model_rows *rows, size_t at, const struct model *m);
/* Move `n` rows from one set to another, or within one. */
void rows_move(struct model_rows *to, size_t to_at, const struct model_rows *from, size_t from_at,
               size_t n);
/* Bits of one label, both given as in JSON: without its quotes the key, with them the value. A
 * model that lacks one of the bits lacks the label. */
uint64_t label_bits(struct slice key, struct slice value);
/* 32 bits of a text; 0 for NULL. Different marks, different texts. */
uint32_t text_mark(const char *text);

#endif
