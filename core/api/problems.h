/* problems: every kind of failure the server can answer with. Room: api. Threads: constants. */
#ifndef PADDOCK_API_PROBLEMS_H
#define PADDOCK_API_PROBLEMS_H

#include "base/err.h"

#include <stddef.h>

/* The i-th kind, sorted by nothing but the room it comes from; NULL past the end. */
const struct err_kind *problem_at(size_t i);
/* The kind of a slug ("model-not-found") or a code ("MODEL_NOT_FOUND"), or NULL. */
const struct err_kind *problem_find(const char *text);
/* "MODEL_NOT_FOUND" to "model-not-found" into `out`. */
void problem_slug(const char *code, char *out, size_t size);

#endif
