/* beside: files that belong to this program, wherever it was built or put. Room: base.
 * Threads: [any]. */
#ifndef PADDOCK_BASE_BESIDE_H
#define PADDOCK_BASE_BESIDE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The first of `places` (ended by NULL) that exists, as an absolute path. Each is relative to the
 * folder of the running program: where it lies once installed, then where it lies in a build tree.
 * False if at none. */
bool beside_find(const char *const *places, char *out, size_t size) MUST_CHECK;

#endif
