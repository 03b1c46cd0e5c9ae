/* test_case: what is tested of the versions of a name, or of one model. Room: registry.
 * Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_TEST_CASE_H
#define PADDOCK_REGISTRY_TEST_CASE_H

#include "registry/documents.h"
#include "registry/model.h"

#include <stdbool.h>
#include <stdint.h>

#define TEST_TIMEOUT_MS_MAX 3600000
#define TEST_DATASETS_MAX   16

struct test_case {
    struct document_head head; /* id is the test_id */
    const char *name;
    const char *model_name, *model_id; /* one of them; the other is NULL */
    const char *type;                  /* "unit" ..., or one that a plugin brings */
    const char *config;                /* JSON object, checked by the plugin's schema */
    const char *datasets;              /* JSON array of dataset_ids */
    const char *triggers;              /* JSON array of TEST_TRIGGERS */
    const char *enforcement;           /* "gate" | "report" */
    int64_t timeout_ms;
    bool enabled;
    const char *labels; /* JSON object */
};

extern const struct field TEST_CASE_FIELDS[];
extern const char *const TEST_TRIGGERS[]; /* "nightly" "promotion" "manual", NULL */

static inline const struct test_case *test_case_of(const struct document *d)
{
    return (const struct test_case *)d->fields;
}

/* Does it speak of this model? */
bool test_case_covers(const struct test_case *t, const struct model *m);
/* Is it run by this trigger? */
bool test_case_triggered(const struct test_case *t, const char *trigger);
/* Call `fn` for each test case, enabled or not, that covers the model, in order of their ids, until
 * it returns false. */
void test_cases_of(const struct view *v, const struct model *m,
                   bool (*fn)(const struct document *d, void *ctx), void *ctx);

/* Changes that follow from those of others, in the same command: the name is called `to` now; the
 * model or the name (one of both is NULL) is gone. */
bool test_cases_rename(struct command *c, struct head *h, struct changes *out, const char *from,
                       const char *to, struct err *e) MUST_CHECK;
bool test_cases_remove(struct command *c, struct head *h, struct changes *out,
                       const char *model_name, const char *model_id, struct err *e) MUST_CHECK;

#endif
