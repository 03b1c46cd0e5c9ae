/* history: the measurements of past runs as series over time, one for each measurement of a test.
 * Room: validation. Threads: one owner.
 *
 * Texts are borrowed: the runs that were added must outlive the history (decode them into one
 * arena). Which runs belong together is the caller's to say: those of a model for its report, the
 * nightly ones of a name's stable versions for the alarm. */
#ifndef PADDOCK_VALIDATION_HISTORY_H
#define PADDOCK_VALIDATION_HISTORY_H

#include "validation/regression.h"

#define HISTORY_SERIES_MAX 20000
#define HISTORY_POINTS_MAX 365 /* of a longer series the newest are kept */

struct history_series {
    const char *test_id, *test_name;
    struct measurement last;      /* name, unit, better, target, ... as they were last reported */
    struct history_point *points; /* oldest first, at least one */
    size_t len, cap;
    uint64_t method; /* a hash of how it is measured */
};

struct history;

struct history *history_new(void) __attribute__((returns_nonnull));
void history_free(struct history *h); /* NULL is allowed */

/* Add the measurements of a run that is not older than those before it. Trial runs, and tests that
 * neither passed nor failed, are left out. A test that is measured in another way than before
 * (results_differ()) begins its series anew. False if there are more than HISTORY_SERIES_MAX; the
 * rest is added. */
bool history_add(struct history *h, const struct run *r);

size_t history_count(const struct history *h);
/* In the order in which they first came. Valid until the next history_add(). */
const struct history_series *history_at(const struct history *h, size_t i);
/* NULL if there is none. */
const struct history_series *history_find(const struct history *h, const char *test_id,
                                          const char *measurement);

/* A history_fn with the history as `self`: the points measured as `test` was, not those of the run
 * itself unless it was added. */
const struct history_point *history_points(void *self, const struct test_result *test,
                                           const struct measurement *m, size_t *len);

#endif
