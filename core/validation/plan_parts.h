/* plan_parts: the pieces of a plan that reach outside: runtimes with their secrets, data files,
 * plugins. Room: validation, for plan.c. Threads: [verdicts]. */
#ifndef PADDOCK_VALIDATION_PLAN_PARTS_H
#define PADDOCK_VALIDATION_PLAN_PARTS_H

#include "registry/registered_model.h"
#include "validation/inner.h"

/* Compact JSON of a value in the arena; NULL gives NULL. */
const char *plan_json(struct arena *a, const json_t *value);
/* The model's runtime as it is stored; NULL: it has none. */
const char *plan_runtime_text(struct arena *a, const struct model *m);
/* The severity policy of a model: its label, else its name's, else the configured one. */
const char *plan_policy(struct execution *x, const struct model *m,
                        const struct registered_model *r);

/* Put the secrets into both runtimes and find their plugins. Whatever is wrong with the subject's
 * makes each test an error. */
void plan_runtimes(struct execution *x, struct job_model *subject, struct job_model *base);
/* Find the files of a test's datasets in the view; plan_test() opens them. */
void plan_datasets(struct execution *x, struct planned_test *t, const struct view *v,
                   const char *ids);
/* Everything else about a test: its plugin, its configuration, its data. A test that cannot be
 * carried out is over at once. `base` NULL: no baseline can be called. */
void plan_test(struct execution *x, struct planned_test *t, const struct job_model *subject,
               const struct job_model *base);

#endif
