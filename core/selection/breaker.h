/* breaker: which models are cut off for now, since they fail. Room: selection. Threads: open() from
 * [any], no lock; the rest is the breaker's own thread.
 *
 * Health judges slowly and well; this is for the minute before. A model that half fails is cut off;
 * after a while a hundredth of the units probe it (half open); by how those fare it comes back, or
 * is cut off for twice as long. What it goes by are inference records, so a model nobody reports on
 * is never cut off. Each node looks at its own. Each turn is a journal entry of the model's health,
 * so that a restart goes on with what was cut off: it is probed when its time has passed again. */
#ifndef PADDOCK_SELECTION_BREAKER_H
#define PADDOCK_SELECTION_BREAKER_H

#include "base/clock.h"
#include "engine/engine.h"
#include "telemetry/telemetry.h"

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_WINDOW_MS   10000
#define BREAKER_RECORDS     20  /* in the window: fewer say nothing */
#define BREAKER_FAILS       0.5 /* of them: cut off */
#define BREAKER_WAIT_MS     30000
#define BREAKER_WAIT_MAX_MS 300000
#define BREAKER_PROBE       1000 /* buckets of BUCKETS that probe */
#define BREAKER_PROBES      5    /* records that decide a probe */
#define BREAKER_PROBES_FAIL 0.25

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };

struct breaker_model {
    enum breaker_state state;
    int64_t since_ms, wait_ms; /* of the present state; how long it is to be open */
};
/* From when on the records count for the next step. */
int64_t breaker_from(const struct breaker_model *m, int64_t now_ms);
/* One step by the records since then. Pure. True: the state changed. */
bool breaker_step(struct breaker_model *m, uint64_t total, uint64_t failed, int64_t now_ms);

struct breaker;

struct breaker *breaker_start(struct telemetry *telemetry, struct engine *engine,
                              const struct clock *clock, struct err *e) MUST_CHECK;
void breaker_stop(struct breaker *b); /* NULL is allowed */
/* Is the model cut off for units of this bucket? Who is asked about is watched from then on. */
bool breaker_cuts(void *breaker, uint64_t model_uid, uint32_t bucket);

#endif
