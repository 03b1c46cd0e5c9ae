#include "registry/baseline.h"

#include "registry/decide.h"
#include "registry/errors.h"

#include <string.h>

#define REF(member) offsetof(struct baseline, member)

const struct field BASELINE_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("model_id", NULL, "The model whose runs are compared with it."),
    {.name = "run_id",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(run_id),
     .check = identifier_fault,
     .doc = "A finished run, of this or another model, that is no trial."},
    {.name = "baseline_model_id",
     .type = FIELD_STRING,
     .flags = FIELD_SERVER,
     .offset = REF(baseline_model_id),
     .doc = "The model of that run."},
    DOCUMENT_STAMPS,
    {0},
};

const struct document_type BASELINE_TYPE = {
    .kind = ENTITY_BASELINE,
    .noun = "pinned baseline",
    .id_name = "model_id",
    .path = "/api/models/enterprise/validation/baseline/",
    .fields = BASELINE_FIELDS,
    .size = sizeof(struct baseline),
    .model = document_model,
    .not_found = &BASELINE_NOT_FOUND,
    .exists = &BASELINE_NOT_FOUND, /* PUT replaces */
    .created = "baseline.pinned",
    .updated = "baseline.pinned",
    .deleted = "baseline.unpinned",
};

static bool pin(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct baseline_run *run = c->args;
    const struct document *before = view_document(h->view, &BASELINE_TYPE, c->ns, c->id);
    struct baseline body = {0};
    const struct model *m = view_model(h->view, c->ns, c->id);
    if (!m || !command_sees(c, m->name))
        return fail(e, &MODEL_NOT_FOUND, "no model '%.200s' in namespace '%.128s'", c->id, c->ns);
    if (!command_may(c, m->name, c->actions, e))
        return false;
    if (before &&
        (!if_match_fits(c, &before->entity, e) || !body_revision_fits(c, &before->entity, e)))
        return false;
    if (!before && c->if_match != -1)
        return fail(e, &REVISION_MISMATCH, "no baseline is pinned for '%.200s'", c->id);
    if (!body_decode(c, BASELINE_FIELDS, &body, e))
        return false;
    struct baseline want = {.head = {.id = arena_text(c->arena, c->id)},
                            .run_id = run->run_id,
                            .baseline_model_id = run->model_id};
    if (before) {
        want.head = *(const struct document_head *)before->fields;
        if (strcmp(baseline_of(before)->run_id, want.run_id) == 0)
            return answer_entity(c, 200, &before->entity, NULL, e);
    }
    struct document_write w = {
        .type = &BASELINE_TYPE, .c = c, .h = h, .out = out, .before = before, .want = &want};
    const struct entity *now = document_put(&w, "baseline.pinned", NULL, e);
    return now && answer_entity(c, 200, now, NULL, e);
}

bool baseline_pin(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return pin(c, h, out, e) || refused(out);
}

bool baseline_unpin(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct document *d = view_document(h->view, &BASELINE_TYPE, c->ns, c->id);
    const struct model *m = view_model(h->view, c->ns, c->id);
    if (!d || !m || !command_sees(c, m->name))
        return fail(e, &BASELINE_NOT_FOUND, "no baseline is pinned for '%.200s'", c->id);
    if (!command_may(c, m->name, c->actions, e) || !if_match_fits(c, &d->entity, e))
        return refused(out);
    changes_put(out, c->arena, "baseline.unpinned", &d->entity, NULL, NULL);
    return answer_nothing(c);
}
