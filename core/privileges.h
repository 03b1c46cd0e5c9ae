/* privileges: what the process gives up before it serves. Room: top. Threads: [main], before any
 * other thread is started. */
#ifndef PADDOCK_PRIVILEGES_H
#define PADDOCK_PRIVILEGES_H

#include "base/err.h"

#include <stdbool.h>

/* Secrets stay in memory: no core dumps, no other process of the user may look in, unless
 * `core_dumps`. New files are the owner's alone; nothing that is started gains rights. */
void privileges_lock(bool core_dumps);
/* Become `user` (a name; "" stays who one is), with its groups; of root's rights only that to
 * listen on ports below 1024 is kept. Makes `data_dir` for it first, if it is not there. */
bool privileges_drop(const char *user, const char *data_dir, struct err *e) MUST_CHECK;
/* Log what is wrong with who may read the data directory or a key (NULL: none). */
void privileges_check_modes(const char *data_dir, const char *key);

#endif
