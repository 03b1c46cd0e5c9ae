#include "registry/validation_summary.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/baseline.h"
#include "registry/decide.h"
#include "registry/errors.h"

#include <string.h>

#define BRIEF(member)  offsetof(struct run_brief, member)
#define REF(member)    offsetof(struct validation_summary, member)
#define NOTICE(member) offsetof(struct regression_notice, member)
#define BRIEF_TEXT(member, doc_)                                                       \
    {                                                                                  \
        .name = #member, .type = FIELD_STRING, .flags = FIELD_SERVER | FIELD_NULLABLE, \
        .offset = BRIEF(member), .doc = doc_                                           \
    }

const struct field RUN_BRIEF_FIELDS[] = {
    BRIEF_TEXT(run_id, "The run; null: there is none."),
    BRIEF_TEXT(trigger, "manual, nightly or promotion."),
    BRIEF_TEXT(status, "passed, failed or error."),
    BRIEF_TEXT(severity, "Of its worst regression."),
    BRIEF_TEXT(fingerprint, "Of the model's source and runtime when it was tested."),
    BRIEF_TEXT(tests, "Digest of the gate's tests as they were; null: the run was partial."),
    {.name = "types",
     .type = FIELD_STRINGS,
     .flags = FIELD_SERVER,
     .offset = BRIEF(types),
     .doc = "Types of which every gate test passed."},
    {.name = "queued_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = BRIEF(queued_at),
     .doc = "When it was asked for."},
    {.name = "finished_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = BRIEF(finished_at),
     .doc = "When it ended."},
    {0},
};

#define RUN(name_, doc_)                                                                   \
    {                                                                                      \
        .name = #name_, .type = FIELD_NESTED, .flags = FIELD_SERVER, .offset = REF(name_), \
        .sub = RUN_BRIEF_FIELDS, .doc = doc_                                               \
    }

const struct field VALIDATION_SUMMARY_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("model_id", NULL, "The model."),
    {.name = "model_uid",
     .type = FIELD_INT,
     .flags = FIELD_HIDDEN,
     .offset = REF(model_uid),
     .max = 9007199254740992.0},
    RUN(last, "The newest run that ended by itself."),
    RUN(complete, "The newest complete one: what a gate looks at."),
    RUN(blocking, "The newest partial one after it that failed: it blocks all the same."),
    DOCUMENT_STAMPS,
    {0},
};

const struct document_type VALIDATION_SUMMARY_TYPE = {
    .kind = ENTITY_VALIDATION,
    .noun = "validation summary",
    .id_name = "model_id",
    .path = "/api/models/enterprise/validation/history/",
    .fields = VALIDATION_SUMMARY_FIELDS,
    .size = sizeof(struct validation_summary),
    .model = document_model,
    .not_found = &RUN_NOT_FOUND,
    .exists = &RUN_NOT_FOUND, /* nobody creates one by hand */
    .created = "validation.finished",
    .updated = "validation.finished",
    .deleted = "validation.removed",
};

const struct field REGRESSION_NOTICE_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("model_id", NULL, "The model."),
    {.name = "run_id", .type = FIELD_STRING, .flags = FIELD_SERVER, .offset = NOTICE(run_id)},
    {.name = "severity", .type = FIELD_STRING, .flags = FIELD_SERVER, .offset = NOTICE(severity)},
    {.name = "regressions",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = NOTICE(regressions),
     .max = 1e9},
    {.name = "summary", .type = FIELD_STRING, .flags = FIELD_SERVER, .offset = NOTICE(summary)},
    {.name = "found_at", .type = FIELD_TIME, .flags = FIELD_SERVER, .offset = NOTICE(found_at)},
    DOCUMENT_STAMPS,
    {0},
};

const struct document_type REGRESSION_NOTICE_TYPE = {
    .kind = ENTITY_REGRESSION,
    .noun = "regression",
    .id_name = "model_id",
    .path = "/api/models/enterprise/validation/regression-report/",
    .fields = REGRESSION_NOTICE_FIELDS,
    .size = sizeof(struct regression_notice),
    .model = document_model,
    .not_found = &RUN_NOT_FOUND,
    .exists = &RUN_NOT_FOUND,
    .created = "validation.regression",
    .updated = "validation.regression",
    .deleted = "validation.removed",
};

/* --- reading --- */

const struct validation_summary *view_validation(const struct view *v, const struct model *m)
{
    const struct document *d =
        view_document(v, &VALIDATION_SUMMARY_TYPE, m->entity.ns, m->entity.id);
    const struct validation_summary *s = d ? validation_summary_of(d) : NULL;
    return s && s->model_uid == (int64_t)m->entity.uid ? s : NULL;
}

/* --- a run is over --- */

static void take_in(struct validation_summary *s, const struct validation_outcome *o)
{
    const struct run_brief *run = &o->run;
    if (run->queued_at >= s->last.queued_at)
        s->last = *run;
    if (o->complete && run->queued_at >= s->complete.queued_at) {
        s->complete = *run;
        if (s->blocking.queued_at <= run->queued_at)
            s->blocking = (struct run_brief){0};
    }
    if (!o->complete && strcmp(run->status, "failed") == 0 &&
        run->queued_at >= s->complete.queued_at && run->queued_at >= s->blocking.queued_at)
        s->blocking = *run;
}

static bool is_known(const struct validation_summary *s, const char *run_id)
{
    const struct run_brief *all[] = {&s->last, &s->complete, &s->blocking};
    for (size_t i = 0; i < 3; i++)
        if (all[i]->run_id && strcmp(all[i]->run_id, run_id) == 0)
            return true;
    return false;
}

static const char *evidence_of(struct command *c, const struct run_brief *run)
{
    return arena_printf(c->arena, "{\"run_id\":\"%s\",\"status\":\"%s\",\"severity\":\"%s\"}",
                        run->run_id, run->status, run->severity);
}

static bool put_notice(struct command *c, struct head *h, struct changes *out,
                       const struct validation_outcome *o, struct err *e)
{
    const struct document *before =
        view_document(h->view, &REGRESSION_NOTICE_TYPE, c->ns, o->model_id);
    struct regression_notice want = {.head = {.id = o->model_id},
                                     .run_id = o->run.run_id,
                                     .severity = o->run.severity,
                                     .regressions = o->regressions,
                                     .summary = o->summary,
                                     .found_at = o->run.finished_at};
    struct document_write w = {.type = &REGRESSION_NOTICE_TYPE,
                               .c = c,
                               .h = h,
                               .out = out,
                               .before = before,
                               .want = &want};
    if (before)
        want.head = *(const struct document_head *)before->fields;
    return document_put(&w, "validation.regression", evidence_of(c, &o->run), e) != NULL;
}

static bool finished(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct validation_outcome *o = c->args;
    const struct model *m = view_model(h->view, c->ns, o->model_id);
    if (!m || m->entity.uid != o->uid)
        return answer_nothing(c); /* the model that was tested is gone */
    const struct document *before =
        view_document(h->view, &VALIDATION_SUMMARY_TYPE, c->ns, o->model_id);
    const struct validation_summary *old = view_validation(h->view, m);
    struct validation_summary want = {.head = {.id = m->entity.id},
                                      .model_uid = (int64_t)m->entity.uid};
    if (old)
        want = *old;
    else if (before)
        want.head = *(const struct document_head *)before->fields;
    if (old && is_known(old, o->run.run_id))
        return answer_nothing(c);
    take_in(&want, o);
    struct document_write w = {.type = &VALIDATION_SUMMARY_TYPE,
                               .c = c,
                               .h = h,
                               .out = out,
                               .before = before,
                               .want = &want};
    if (!document_put(&w, "validation.finished", evidence_of(c, &o->run), e))
        return false;
    return (o->regressions == 0 || put_notice(c, h, out, o, e)) && answer_nothing(c);
}

bool validation_finished(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return finished(c, h, out, e) || refused(out);
}

void put_validation_gone(struct command *c, const struct head *h, struct changes *out,
                         const struct model *m)
{
    static const enum entity_kind kinds[] = {ENTITY_VALIDATION, ENTITY_REGRESSION, ENTITY_BASELINE};
    static const char *const actions[] = {"validation.removed", "validation.removed",
                                          "baseline.unpinned"};
    for (size_t i = 0; i < 3; i++) {
        const struct entity *entity = view_get(h->view, kinds[i], m->entity.ns, m->entity.id);
        if (entity)
            changes_put(out, c->arena, actions[i], entity, NULL, NULL);
    }
}
