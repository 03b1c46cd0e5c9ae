/* symbols: what a shared object offers and what it wants, read from its file. Room: worker.
 * Threads: pure, [any]. */
#ifndef PADDOCK_WORKER_SYMBOLS_H
#define PADDOCK_WORKER_SYMBOLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Call `see` for each symbol that is offered or must be found when the object is loaded; weak wants
 * are left out. False if `file` is no 64-bit shared object of this machine with a table of
 * symbols. */
bool symbols_each(const void *file, size_t size,
                  void (*see)(const char *name, bool offered, void *arg), void *arg, struct err *e)
    MUST_CHECK;

#endif
