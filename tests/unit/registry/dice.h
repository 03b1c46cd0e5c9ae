/* dice: whole numbers from the tests' repeatable randomness. */
#ifndef PADDOCK_TESTS_REGISTRY_DICE_H
#define PADDOCK_TESTS_REGISTRY_DICE_H

#include "support/random.h"

/* 0..n-1 */
static inline unsigned dice(uint64_t *random, unsigned n)
{
    return (unsigned)(random_u64(random) % n);
}

#endif
