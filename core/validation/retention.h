/* retention: runs of the past go, so that they do not grow for ever. Room: validation. Threads:
 * [supervisor] begins a sweep, [verdicts] does it.
 *
 * A run goes when it is older than the configured days. What a promotion cites in the journal, what
 * a model's summary or a pinned baseline names, and each model's newest passed run are put aside:
 * they leave the history, but can still be asked for by their id and compared with. The runs of
 * deleted models go with time like all others. */
#ifndef PADDOCK_VALIDATION_RETENTION_H
#define PADDOCK_VALIDATION_RETENTION_H

#include <stdint.h>

struct validation;

/* Once at the start, then once a day; it does no harm if two nodes do it. [supervisor] */
void retention_tick(struct validation *v, int64_t now_ms);

#endif
