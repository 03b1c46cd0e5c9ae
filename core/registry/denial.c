#include "registry/denial.h"

#include "registry/decide.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct denial, member)

const struct field DENIAL_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("actor_id", NULL, "Who was refused."),
    {.name = "actor_kind", .type = FIELD_STRING, .offset = AT(actor_kind), .max = 32},
    {.name = "count", .type = FIELD_INT, .offset = AT(count), .min = 0, .max = 9007199254740992.0},
    {.name = "last_at", .type = FIELD_TIME, .offset = AT(last_at)},
    {.name = "cases", .type = FIELD_ANY, .offset = AT(cases), .max = 65536},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct denial *d = fields;
    (void)rules;
    d->actor_kind = "";
    d->cases = "[]";
}

const struct document_type DENIAL_TYPE = {
    .kind = ENTITY_DENIAL,
    .noun = "denial",
    .id_name = "actor_id",
    .path = "",
    .fields = DENIAL_FIELDS,
    .size = sizeof(struct denial),
    .created = "auth.denied",
    .updated = "auth.denied",
    .init = init,
};

static bool full(const struct head *h, const char *ns, const char *id)
{
    return !view_document(h->view, &DENIAL_TYPE, ns, id) &&
           view_count(h->view, ENTITY_DENIAL) >= DENIALS_MAX;
}

bool denial_add(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct denial_note *note = c->args;
    const char *id = c->actor.id;
    if (full(h, c->ns, id)) {
        c->ns = "default";
        id = "others";
    }
    const struct document *before = view_document(h->view, &DENIAL_TYPE, c->ns, id);
    struct denial want = {.head.id = id};
    if (before)
        want = *(const struct denial *)before->fields;
    want.actor_kind = c->actor.kind;
    want.count += note->count;
    want.last_at = note->last_at;
    want.cases = note->cases;
    struct document_write w = {
        .type = &DENIAL_TYPE, .c = c, .h = h, .out = out, .before = before, .want = &want};
    return (document_put(&w, "auth.denied", NULL, e) && answer_nothing(c)) || refused(out);
}
