/* validation_summary: what the runs of a model say of it, an entity of its own so that the model's
 * revision stays. Room: registry. Threads: immutable, [any].
 *
 * The gate reads nothing else: the newest complete run, and a partial one after it that failed. */
#ifndef PADDOCK_REGISTRY_VALIDATION_SUMMARY_H
#define PADDOCK_REGISTRY_VALIDATION_SUMMARY_H

#include "registry/documents.h"
#include "registry/model.h"

#include <stdbool.h>
#include <stdint.h>

/* A finished run, in brief. All NULL and 0 where there is none. */
struct run_brief {
    const char *run_id;
    const char *trigger, *status, *severity;
    const char *fingerprint; /* of the model as it was tested */
    const char *tests;       /* digest of the tests a gate demands, as they were; NULL: partial */
    const char *types;       /* JSON array: types of which every gate test passed */
    int64_t queued_at, finished_at;
};

struct validation_summary {
    struct document_head head; /* id is the model_id */
    int64_t model_uid;         /* of the incarnation that was tested */
    struct run_brief last;     /* newest of all */
    struct run_brief complete; /* newest complete one */
    struct run_brief blocking; /* newest partial one after it that failed */
};

/* The newest run that found something worse than the baseline. */
struct regression_notice {
    struct document_head head; /* id is the model_id */
    const char *run_id, *severity, *summary;
    int64_t regressions, found_at;
};

static inline const struct validation_summary *validation_summary_of(const struct document *d)
{
    return (const struct validation_summary *)d->fields;
}

extern const struct field VALIDATION_SUMMARY_FIELDS[];
extern const struct field REGRESSION_NOTICE_FIELDS[];
extern const struct field RUN_BRIEF_FIELDS[];

/* The summary of this incarnation of the model, or NULL. */
const struct validation_summary *view_validation(const struct view *v, const struct model *m);

/* c->args of the command below: a run that is over, neither a trial nor cancelled. */
struct validation_outcome {
    const char *model_id;
    uint64_t uid; /* ignored if the model is another incarnation by now */
    struct run_brief run;
    bool complete;
    int64_t regressions; /* of a severity above none */
    const char *summary; /* one sentence about them */
};
/* Takes the run in, once however often it is told. Journals validation.finished, and
 * validation.regression where there are regressions. */
bool validation_finished(struct command *c, struct head *h, struct changes *out, struct err *e);

/* Put the end of what is kept about the tests of a model: summary, notice, pinned baseline. */
void put_validation_gone(struct command *c, const struct head *h, struct changes *out,
                         const struct model *m);

#endif
