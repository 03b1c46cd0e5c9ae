/* moving: a whole store as a text and back, and a copy of one in use. Room: moving.
 * Threads: [main] of a short-lived process. */
#ifndef PADDOCK_MOVING_MOVING_H
#define PADDOCK_MOVING_MOVING_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT_FORMAT 1

struct moved {
    uint64_t entries, entities, keys, jobs, marks, records, files, lines;
};

/* Write all of a store and of its data directory, whose server does not run. Memory does not grow
 * with the store, but for the entities of one on Redis. */
bool store_export(struct store *s, const char *dir, FILE *to, struct moved *out, struct err *e)
    MUST_CHECK;
/* Fill an empty store and an empty directory. On failure (`e` names the line) part of it may have
 * been written: the caller has begun it with data_dir_begin() and takes it away again. */
bool store_import(struct store *s, const char *dir, FILE *from, struct moved *out, struct err *e)
    MUST_CHECK;
/* Copy the directory of an embedded store, whether its server runs or not, into `to`, which is
 * made or empty. What is not finished says so, and is begun anew by the next. */
bool store_backup(const char *dir, const char *to, struct err *e) MUST_CHECK;

#endif
