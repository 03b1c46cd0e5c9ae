/* grade: the severity policy of a model, as regressions_grade() asks it. Room: validation.
 * Threads: those of the policy_set; never the engine. */
#ifndef PADDOCK_VALIDATION_GRADE_H
#define PADDOCK_VALIDATION_GRADE_H

#include "extend/severity.h"
#include "validation/regression.h"

/* Who is graded, by which policy. Everything is borrowed. */
struct grade_by_policy {
    struct policy_set *set;
    const char *ns;
    const char *policy; /* the name's label `severity_policy`, else as configured */
    const char *model_id, *name, *version, *status, *baseline_model_id;
    const json_t *labels; /* of the model; may be NULL */
};

/* A grade_fn with a `struct grade_by_policy` as `self`. A policy that fails means medium, and its
 * reason says so. */
struct grading grade_by_policy(void *self, const struct regression *r, struct arena *a);

#endif
