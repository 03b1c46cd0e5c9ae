/* tensor_value: tensors written in a test's configuration. Plugin code, shared by compiling it in.
 * Threads: pure, [any]. */
#ifndef PADDOCK_PLUGINS_TENSOR_VALUE_H
#define PADDOCK_PLUGINS_TENSOR_VALUE_H

#include "why.h"

#include <paddock/plugin.h>

/* The fields of one tensor: {"name","datatype","shape","data"}. Without a shape it is that of the
 * nested arrays of `data`. */
extern const paddock_field TENSOR_FIELDS[];
/* The one row of a "shape", and of an array of tensors. */
extern const paddock_field EXTENT_FIELD[];
extern const paddock_field TENSOR_FIELD[];

struct tensors {
    paddock_tensor *items; /* texts point into the configuration */
    size_t n;
};

/* Elements of nested or flat arrays, and their shape if they are a regular box; `*rank` is
 * UINT32_MAX if not. */
size_t value_elements(const paddock_host *h, const paddock_value *data, int64_t *shape,
                      uint32_t *rank);

/* Read an array of tensors. False with a sentence in `why`. Free with tensors_free(). */
bool tensors_read(struct tensors *out, const paddock_host *h, const paddock_value *array,
                  struct why *why);
/* Tensors without content as a model describes its inputs: `rows` for an open first extent, 1 for
 * other open ones; numbers are 0, texts empty. */
bool tensors_of_zeros(struct tensors *out, const paddock_metadata *md, size_t rows,
                      struct why *why);
void tensors_free(struct tensors *t);

#endif
