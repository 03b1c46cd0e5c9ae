/* decide: what the registry's decisions share. Room: registry. Threads: [engine].
 *
 * Every decision has the same order: what is addressed must exist (404), then If-Match must fit
 * (412), then the body must be right (400), then the rules speak (409). */
#ifndef PADDOCK_REGISTRY_DECIDE_H
#define PADDOCK_REGISTRY_DECIDE_H

#include "base/fault.h"
#include "registry/command.h"
#include "registry/errors.h"
#include "registry/model_fields.h"

#define ALIASES_MAX 256 /* of one registered model */

/* --- what a command addresses --- */

/* The model that c->id names, by id or reference, with If-Match checked. NULL and `e`. */
const struct model *addressed_model(const struct command *c, const struct head *h, struct err *e);
const struct registered_model *addressed_name(const struct command *c, const struct head *h,
                                              struct err *e);
/* What exists fits If-Match and If-None-Match. */
bool if_match_fits(const struct command *c, const struct entity *entity, struct err *e) MUST_CHECK;
/* A model named in the body, by id or reference; adds a fault of kind BAD_REFERENCE when there is
 * none. */
const struct model *referenced_model(const struct command *c, const struct head *h,
                                     const char *reference, const char *pointer, struct faults *f);

/* --- who may --- */

/* Does the actor see what belongs to this name? What one does not see is not there. */
bool command_sees(const struct command *c, const char *name);
/* May the actor do one of `actions` to what belongs to this name? FORBIDDEN if not. The addressed_
 * functions have asked for the command's own actions already; this is for what the body decides:
 * another name, another action. */
bool command_may(const struct command *c, const char *name, uint32_t actions, struct err *e)
    MUST_CHECK;

/* --- bodies --- */

/* Decode the body (none is {}) into `out`. False and `e` with every fault. */
bool body_decode(const struct command *c, const struct field *table, void *out, struct err *e)
    MUST_CHECK;
/* Does the body have this member, null included? */
bool body_names(const struct command *c, const char *member);
/* `revision` in the body must be the entity's, if given. */
bool body_revision_fits(const struct command *c, const struct entity *entity, struct err *e)
    MUST_CHECK;
/* Add a fault for each null of a merge patch whose field the table lacks (the merge hides it). */
void patch_unknown(const struct command *c, const struct field *table, struct faults *f);
/* The reason given: the body's, else the header's, else NULL. Sets c->reason. */
void take_reason(struct command *c, const char *given);
/* The row of a body's reason, for the table of its fields. */
#define FIELD_REASON(offset_)                                                               \
    {                                                                                       \
        .name = "reason", .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = offset_, \
        .max = 1024, .doc = "Kept in the journal."                                          \
    }

/* --- bodies of the other operations --- */

struct status_body {
    const char *status, *reason;
    bool supersede, force;
};
struct hold_body {
    const char *reason;
};
struct alias_body {
    const char *alias, *model_id;
};
struct rollback_body {
    const char *to, *reason;
    bool dry_run;
};

/* --- changes --- */

/* The end of a decision that refuses: discards what it had put. Always false. */
static inline bool refused(struct changes *out)
{
    changes_discard(out);
    return false;
}

/* One decision on its way. */
struct decision {
    struct command *c;
    struct head *h;
    struct changes *out;
};

/* Write `f` as the next revision of `before` (NULL: as a new model) and put the change. */
bool put_model(const struct decision *d, const struct model *before, struct model_fields *f,
               const char *action, const char *evidence, struct err *e) MUST_CHECK;
/* Read a model's fields, let `edit` change them, and put the change. For the commands that change
 * several: what is read lives in memory of its own and only while this runs. */
bool change_model(const struct decision *d, const struct model *m,
                  void (*edit)(struct model_fields *f, const void *ctx), const void *ctx,
                  const char *action, const char *evidence, struct err *e) MUST_CHECK;
/* Is what a client made of an entity (NULL: of nothing) no longer than ENTITY_TEXT_MAX, or at
 * least no longer than before? */
bool text_fits(const struct entity *before, const struct entity *after, struct err *e) MUST_CHECK;
/* Put the deletion of a model, of its health and of the test cases that are its alone. */
bool put_model_gone(const struct decision *d, const struct model *m, struct err *e) MUST_CHECK;
/* `{"kind","id"}` of the actor. */
const char *actor_json(const struct command *c);

/* --- answers --- */

/* The entity's text, with `members` (`"superseded":[]`, or NULL) added inside. */
bool answer_entity(struct command *c, int status, const struct entity *entity, const char *members,
                   struct err *e) MUST_CHECK;
bool answer_text(struct command *c, int status, const char *json);
bool answer_nothing(struct command *c);
/* `base` and the percent-encoded id, in the command's arena. */
const char *location_of(const struct command *c, const char *base, const char *id);
#define MODELS_PATH            "/api/models/enterprise/registry/"
#define REGISTERED_MODELS_PATH "/api/models/enterprise/registered-models/"

/* --- transitions, shared by status changes and rollbacks --- */

/* `["a","b"]` of the statuses that may follow. */
const char *legal_json(struct arena *a, enum model_status from);
/* Set the fields of a promotion to `to`; `evidence` is the word of the gate. */
void promote_fields(const struct command *c, struct model_fields *f, enum model_status to,
                    int64_t at, const char *evidence, bool forced);
const char *hold_json(const struct command *c, const char *reason, int64_t at);

/* --- gates --- */

struct gate_outcome {
    bool allowed; /* as far as the rule goes; force may pass what it blocks */
    struct gate_verdict verdict;
    const char *rule; /* the rule applied, JSON object text */
};
/* Where no gate applies. */
#define GATE_OPEN ((struct gate_outcome){true, {"[]", "none", NULL}, "{}"})
/* Does the step need a gate? Steps out of service and the return of a former stable do not. */
bool gate_applies(enum model_status from, enum model_status to);
/* What the gate of the model's name says; neither hold nor lifecycle. */
bool gate_judge(const struct gate_question *q, struct arena *a, struct gate_outcome *out,
                struct err *e) MUST_CHECK;
struct gate_question question_of(const struct head *h, const struct model *m, enum model_status to);
/* `{"allowed","evidence","conditions"}` of it. */
const char *gate_json(struct arena *a, bool allowed, const char *evidence, const char *conditions);
/* What the journal entry of a promotion keeps:
 * `{"to","allowed","evidence","conditions","rule","run_id", "experiment","source_digest"}`, the
 * gate's answer before force. */
const char *gate_evidence(struct arena *a, const struct model *m, const char *to,
                          const struct gate_outcome *g, bool forced);
/* PROMOTION_BLOCKED or VALIDATION_PENDING with the gate. */
bool gate_refuses(struct arena *a, const struct model *m, const char *to,
                  const struct gate_outcome *g, struct err *e);
bool held_refuses(const struct model *m, struct err *e);

#endif
