/* inspect: what is true of a plugin's file, rule by rule, for `paddock plugin check`. Room: worker.
 * Threads: [main] of a process of its own. */
#ifndef PADDOCK_WORKER_INSPECT_H
#define PADDOCK_WORKER_INSPECT_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>

/* Load `file` and append a JSON object:
 *   {"exports":[names],            all but the entry
 *    "accidental":[names],         found only because this program happens to have them
 *    "threads","descriptors",      left by the constructors
 *    "handlers":["SEGV"],          signals whose disposition they changed
 *    "entry":bool,                 and if there is one:
 *    "abi":[1,0],"kind",           numbers; the rest only if they are this host's:
 *    "kind_name","id","version","summary","flags","unknown_flags",
 *    "operations","config"}        null, or what is wrong with them
 * False if it cannot be loaded. */
bool inspect_plugin(const char *file, struct bytes *out, struct err *e) MUST_CHECK;

#endif
