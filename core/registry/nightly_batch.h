/* nightly_batch: one night of validation, from its beginning to what came of it. Room: registry.
 * Threads: immutable, [any].
 *
 * One at a time in a namespace. What is under way is counted by who runs it; the entity says that
 * the night began and, once, how it ended, so that a restart knows what it has to go on with and
 * what was missed. */
#ifndef PADDOCK_REGISTRY_NIGHTLY_BATCH_H
#define PADDOCK_REGISTRY_NIGHTLY_BATCH_H

#include "registry/documents.h"

#include <stdbool.h>
#include <stdint.h>

#define NIGHTLY_KEPT_MS INT64_C(34560000000) /* 400 days */
#define NIGHTLY_LATE_MS INT64_C(3600000)     /* a night that begins later than this was missed */

struct nightly_counts {
    int64_t total, passed, failed, error, cancelled;
};

struct nightly_batch {
    struct document_head head; /* id is the batch_id */
    const char *state;         /* "running" | "done" */
    const char *cause;         /* "schedule" | "manual" */
    int64_t hour_utc;          /* of the names it is for; INT64_MIN: all (by hand) */
    int64_t scheduled_for;     /* ms; 0: by hand */
    int64_t started_at, finished_at;
    struct nightly_counts runs; /* `total` when it begins, the rest when it is done */
};

static inline const struct nightly_batch *nightly_batch_of(const struct document *d)
{
    return (const struct nightly_batch *)d->fields;
}

extern const struct field NIGHTLY_BATCH_FIELDS[];

/* The night under way in a namespace, or NULL. */
const struct document *view_nightly_running(const struct view *v, const char *ns);
/* The newest that is done; NULL: none. */
const struct document *view_nightly_last(const struct view *v, const char *ns);
/* Was there one for this hour that was due at `scheduled_for`? */
bool view_nightly_held(const struct view *v, const char *ns, int64_t hour_utc,
                       int64_t scheduled_for);

/* A night that begins late raises the alert "night_missed:<hour>"; one that begins in time resolves
 * it.
 *
 * c->args of nightly_begin() is a struct nightly_batch (id, cause, hour, times, total); refuses
 * with NIGHTLY_RUNNING. Of nightly_end(): id and counts; nothing to end is no failure. */
bool nightly_begin(struct command *c, struct head *h, struct changes *out, struct err *e);
bool nightly_end(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
