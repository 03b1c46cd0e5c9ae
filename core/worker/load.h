/* load: a plugin's shared object in this process. Room: worker. Threads: one at a time. */
#ifndef PADDOCK_WORKER_LOAD_H
#define PADDOCK_WORKER_LOAD_H

#include "base/err.h"

#include <paddock/plugin.h>
#include <stdint.h>

struct loaded {
    const paddock_plugin *plugin;
    char sha256[65];
    uintptr_t begin, end; /* where it lies in memory */
};

/* Open the file before rights are given up. -1 and ERR_INVALID on failure. */
int load_open(const char *path, struct err *e) MUST_CHECK;
/* Load from the descriptor (which stays open), after comparing the file's SHA-256 if `sha256` is
 * given, and check the entry: version, kind, names, the functions its kind must have, its fields.
 * `name` is for messages. Never unloaded. */
bool load_plugin(int fd, const char *name, const char *sha256, struct loaded *out, struct err *e)
    MUST_CHECK;

/* Has it the functions that its (known) kind must have? */
bool load_check_operations(const paddock_plugin *p, struct err *e);

#endif
