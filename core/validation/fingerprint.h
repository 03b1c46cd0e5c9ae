/* fingerprint: what was tested, as a digest: a gate takes evidence only about what is there today.
 * Room: validation. Threads: pure, [any]. */
#ifndef PADDOCK_VALIDATION_FINGERPRINT_H
#define PADDOCK_VALIDATION_FINGERPRINT_H

#include "base/hash.h"
#include "registry/state.h"
#include "registry/test_case.h"

#include <stdbool.h>
#include <stddef.h>

/* Of a model: its source, the source's digest, and how it is reached. */
void model_fingerprint(const struct model *m, char out[SHA256_HEX_SIZE]);

/* Of all enabled tests of `enforcement: gate` that cover the model: which they are, their types,
 * configurations and datasets. Returns how many there are. */
size_t gate_tests_fingerprint(const struct view *v, const struct model *m,
                              char out[SHA256_HEX_SIZE]);

/* Is it one of those? */
static inline bool is_gate_test(const struct test_case *t)
{
    return t->enabled && t->enforcement[0] == 'g';
}

#endif
