/* judged: a labelled dataset put to a model. Plugin code of the test "regression".
 * Threads: [main]. */
#ifndef PADDOCK_PLUGINS_JUDGED_H
#define PADDOCK_PLUGINS_JUDGED_H

#include "score.h"
#include "why.h"

#include <paddock/plugin.h>

/* How to read labels and answers. */
struct reading {
    enum task task;
    const char *output;           /* NULL: the first */
    const paddock_value *classes; /* texts in the order of the classes; NULL: labels are numbers */
    double threshold;
    size_t batch; /* rows in one question */
};

/* The labels as numbers, `d->rows` of them: a truth value, a class's number, a value. NULL after
 * paddock_error(): no label, an unknown class, a missing value. The caller frees. */
double *read_labels(paddock_test *t, const struct reading *r, const paddock_dataset *d,
                    size_t *classes);

/* Ask the model for all rows. `p` has task, n, truth, threshold, and classes as the labels have
 * (SIZE_MAX: not known); said (the caller frees) and classes are set. False with a sentence in
 * `why` and the kind in `*error` (PADDOCK_E_PROTOCOL for answers of the wrong form). */
bool ask_all(paddock_test *t, paddock_model *m, const struct reading *r, const paddock_dataset *d,
             struct predictions *p, uint32_t *error, struct why *why);

#endif
