/* experiments: runs what people have begun: looks, decides, moves shares. Room: selection.
 * Threads: [any] but where said.
 *
 * One thread of its own looks at each running experiment at the end of every slot: what its arms
 * measured goes to the store (one series for each), then to the rules (experiment_rules.h), and
 * what these decide goes to the engine as a command, so that it is one journal entry with its
 * numbers and its sentence. The shares in force are published from the document's step.
 *
 * After a restart the looks are read from the store and taken again: the same looks give the same
 * evidence. A slot is a tenth of the step's time, 10 s at most and half a second at least. */
#ifndef PADDOCK_SELECTION_EXPERIMENTS_H
#define PADDOCK_SELECTION_EXPERIMENTS_H

#include "base/bytes.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "selection/experiment_evidence.h"
#include "selection/weights.h"
#include "store/store.h"

struct experiments;

/* All borrowed for its life. */
struct experiments_config {
    struct engine *engine;
    struct store *store;
    const struct clock *clock;
    struct weights *weights;
    struct experiment_evidence *evidence;
};

/* Publish what runs, take up its evidence, start the thread. [main], before anybody selects. */
struct experiments *experiments_start(const struct experiments_config *config, struct err *e)
    MUST_CHECK;
/* NULL is allowed. */
void experiments_stop(struct experiments *x);

/* Append `{"verdict",...,"metrics":[...]}` of what an experiment that runs shows now, with the
 * intervals. May take some 100 ms: not on a loop. False: none runs under this uid. */
bool experiments_analysis(struct experiments *x, uint64_t uid, struct bytes *out);

#endif
