/* denials: refusals on their way into the journal. Room: api. Threads: see each function.
 *
 * They are gathered by who was refused and where, and written at most once a minute for each, and
 * at most 16 in a second in all: what came meanwhile is counted. */
#ifndef PADDOCK_API_DENIALS_H
#define PADDOCK_API_DENIALS_H

#include "base/err.h"
#include "engine/engine.h"
#include "http/request.h"

#include <stdint.h>

struct denials;

struct denials *denials_new(struct engine *en) __attribute__((returns_nonnull)); /* [main] */
/* Have everything written that waits, and wait for it. The engine still runs. [main] */
void denials_free(struct denials *d);
/* This request was refused with 401 or 403. `ns`: whose journal it belongs to. [loop] */
void denials_note(struct denials *d, const struct request *rq, const char *ns,
                  const struct err *why);
/* Write what is due. [loop] */
void denials_tick(struct denials *d, int64_t now_ms);

#endif
