/* flag_trial: a flag as it would be, asked beside the flag as it is. Room: selection.
 * Threads: one owner, which may be busy for seconds: never a loop or the engine.
 *
 * The draft is decided as the engine would decide it (checks, ranges with as few moves as can be)
 * and asked as a loop would ask it (prerequisites, layer, segments, kill switch). Nothing is
 * stored, and no call counts. */
#ifndef PADDOCK_SELECTION_FLAG_TRIAL_H
#define PADDOCK_SELECTION_FLAG_TRIAL_H

#include "engine/engine.h"
#include "extend/policies.h"

#define TRIAL_POPULATION_MAX 1000000
#define TRIAL_CONTEXTS_MAX   10000
#define TRIAL_TIME_MAX_MS    10000 /* what is not asked by then is left out */

struct flag_trial_plan {
    struct view_reader *reader; /* not inside a view; entered again every some thousand units */
    struct policies *catalog;
    const struct rules *rules;
    const struct clock *clock;
    const char *ns, *key;
    const json_t *draft;    /* merge patch of the flag; NULL: none */
    const char *source;     /* Lua that its policy would be; NULL: the policy there is */
    const json_t *contexts; /* array of objects; may be empty */
    uint64_t population;    /* units "user-0" ... with the contexts in turn; 0: each context once */
    int64_t at_ms;
};

struct flag_trial_count {
    uint64_t asked, moved;
    uint64_t errors, unit_missing; /* of the draft */
    bool complete;
    size_t variants;
    struct {
        const char *name;
        uint64_t today, draft;
    } list[2 * ARMS_MAX]; /* those of either; names in the arena */
    char first_error[512];
    double us_per_call; /* of the draft; NAN: none was asked */
};

/* False: FLAG_NOT_FOUND, the faults of the draft, or ERR_POLICY of the source. */
bool flag_trial_run(const struct flag_trial_plan *plan, struct arena *a,
                    struct flag_trial_count *out, struct err *e) MUST_CHECK;

#endif
