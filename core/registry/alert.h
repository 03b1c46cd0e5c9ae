/* alert: something that a person should look at, once however often it happens. Room: registry.
 * Threads: immutable, [any].
 *
 * What raises one names it by a dedupe key: as long as an alert of that key is not resolved, the
 * same again only counts. Resolved ones are kept, the newest of each key. */
#ifndef PADDOCK_REGISTRY_ALERT_H
#define PADDOCK_REGISTRY_ALERT_H

#include "registry/documents.h"
#include "registry/severity.h"

struct alert {
    struct document_head head; /* id is the alert_id */
    const char *kind;          /* one of ALERT_KINDS */
    const char *severity;      /* one of SEVERITY_NAMES: the worst that was seen */
    const char *state;         /* "open" | "acknowledged" | "resolved" */
    const char *dedupe_key;
    const char *model_name, *model_id, *run_id; /* may be NULL; a name as it was then */
    int64_t first_at, last_at;                  /* ms */
    int64_t count;
    const char *summary;                  /* one sentence, of the last time */
    const char *note, *acknowledged_by;   /* may be NULL */
    int64_t acknowledged_at, resolved_at; /* 0: not */
};

extern const struct field ALERT_FIELDS[];
extern const struct field ACKNOWLEDGE_FIELDS[]; /* {"note"} */
extern const char *const ALERT_KINDS[];         /* NULL-terminated */

/* The dedupe key of the alert of a kind about one thing: "kind:id". */
const char *alert_key(struct arena *a, const char *kind, const char *id);

/* The alert of a dedupe key that is not resolved, or NULL. */
const struct alert *view_alert_open(const struct view *v, const char *ns, const char *dedupe_key);

/* c->args of the two commands below. */
struct alert_cause {
    const char *kind; /* one of ALERT_KINDS */
    enum severity severity;
    const char *dedupe_key; /* 1..512 bytes, such as "regression:nba-props:2.1.0" */
    const char *model_id, *run_id, *summary;
};
/* The same two as parts of another command, in its changes. */
struct decision;
bool alert_put(const struct decision *d, const struct alert_cause *cause, struct err *e) MUST_CHECK;
bool alert_end(const struct decision *d, const char *dedupe_key, struct err *e) MUST_CHECK;
/* Open an alert, or count the one that is there; an acknowledged one that gets worse is open
 * again. */
bool alert_raise(struct command *c, struct head *h, struct changes *out, struct err *e);
/* Resolve what is open or acknowledged under args->dedupe_key; nothing there is no failure. */
bool alert_resolve(struct command *c, struct head *h, struct changes *out, struct err *e);
/* POST .../acknowledge: c->id is the alert. */
bool alert_acknowledge(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
