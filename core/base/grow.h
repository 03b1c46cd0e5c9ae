/* grow: an array that takes one more. Room: base. Threads: [any]. */
#ifndef PADDOCK_BASE_GROW_H
#define PADDOCK_BASE_GROW_H

#include "base/mem.h"

/* Makes sure that `array`, with `n` of its `cap` places taken, has a place for one more: doubles it
 * if not, beginning with 16. `array` and `cap` are changed; both begin as NULL and 0. Arguments are
 * evaluated more than once. Whoever adds without end caps `n` before. */
#define GROW(array, n, cap)                                        \
    do {                                                           \
        if ((n) >= (cap)) {                                        \
            (cap) = (cap) ? 2 * (cap) : 16;                        \
            (array) = mem_resize((array), (cap), sizeof *(array)); \
        }                                                          \
    } while (0)

#endif
