/* experiment_ends: how an experiment ends, with all that changes with it. Room: registry, private.
 * Threads: [engine]. */
#ifndef PADDOCK_REGISTRY_EXPERIMENT_ENDS_H
#define PADDOCK_REGISTRY_EXPERIMENT_ENDS_H

#include "registry/decide.h"
#include "registry/experiment.h"

/* One move on its way. */
struct experiment_move {
    struct decision d;
    const struct document *there;
    struct experiment want; /* with its sentence */
    const struct experiment_spec *spec;
    const char *evidence; /* of the journal entry, or NULL */
};

/* Those that were not taken out. */
size_t experiment_move_left(const struct experiment_move *m);
/* The treatment of this name that was not taken out; NULL: the only one there is. NULL if there is
 * none. */
const struct experiment_treatment *experiment_move_treatment(const struct experiment_move *m,
                                                             const char *arm);

/* Put `want` with one more decision, and answer with it. */
bool experiment_move_put(struct experiment_move *m, const char *action, const char *cause,
                         struct err *e) MUST_CHECK;

/* The weights go back to the route, but for those of treatments that were taken out: the control
 * has them. Nothing else changes. */
bool experiment_end(struct experiment_move *m, const char *state, const char *action,
                    const char *cause, struct err *e) MUST_CHECK;
/* The treatment becomes stable, by the gate. A route whose control is named by its id gives the
 * treatment everything; another has its weights back, as above. */
bool experiment_end_promoted(struct experiment_move *m, const struct experiment_treatment *t,
                             const char *cause, struct err *e) MUST_CHECK;
/* One goes back, as below, and is taken out; the others go on. */
bool experiment_take_out(struct experiment_move *m, const struct experiment_treatment *t,
                         const char *cause, struct err *e) MUST_CHECK;
/* The control gets everything; each treatment that is left goes back to development (a stable one
 * beside another is deprecated) and is held. */
bool experiment_end_rolled_back(struct experiment_move *m, const char *state, const char *action,
                                const char *cause, struct err *e) MUST_CHECK;

/* A name is rolled back: stop what compares a version of it. `*stopped`: JSON array of their keys,
 * in the arena. */
#define EXPERIMENTS_STOPPED_MAX 64
bool experiments_stop_of(const struct decision *d, const char *name, const char *sentence,
                         const char **stopped, struct err *e) MUST_CHECK;

#endif
