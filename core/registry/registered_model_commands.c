#include "base/json.h"
#include "registry/family.h"
#include "registry/field_diff.h"
#include "registry/renaming.h"

#include <string.h>

/* A member that is null goes back to its default: nested objects are never null themselves. */
static json_t *without_nulls(const json_t *body)
{
    json_t *copy = json_copy((json_t *)body);
    for (size_t i = 0; REGISTERED_MODEL_FIELDS[i].name; i++) {
        const struct field *f = &REGISTERED_MODEL_FIELDS[i];
        if (f->type == FIELD_NESTED && json_is_null(json_object_get(copy, f->name)))
            json_object_del(copy, f->name);
    }
    return copy;
}

static bool decode_body(const struct command *c, const json_t *body,
                        struct registered_model_fields *out, struct faults *f)
{
    json_t *given = body ? without_nulls(body) : json_object();
    bool ok =
        fields_decode(REGISTERED_MODEL_FIELDS, given, "", DECODE_CREATE, out, c->arena, NULL, f);
    json_decref(given);
    return ok;
}

static void check_namespace(const struct command *c, const char *ns, struct faults *f)
{
    if (strcmp(ns, c->ns) != 0)
        fault_add(f, &ERR_READ_ONLY_FIELD, "/namespace", "cannot change: it is '%.128s'", c->ns);
}

/* A type that no plugin has would block every promotion. What is not given is as it was, whatever
 * plugins there are by now. */
static void check_types(const struct command *c, const struct head *h, const char *status,
                        const struct gate_rule *rule, struct faults *f)
{
    const struct test_types *known = h->rules->test_types;
    json_t *types = json_read(rule->require_types, strlen(rule->require_types), NULL), *type;
    size_t i;
    json_array_foreach(types, i, type)
        known->check_name(known->self, json_string_value(type),
                          arena_printf(c->arena, "/gate/%s/require_types/%zu", status, i), f);
    json_decref(types);
}

static void check_gate(const struct command *c, const struct head *h,
                       const struct registered_model_fields *want, struct faults *f)
{
    if (!h->rules->test_types || !body_names(c, "gate"))
        return;
    check_types(c, h, "canary", &want->gate.canary, f);
    check_types(c, h, "stable", &want->gate.stable, f);
}

static bool exists(const struct command *c, const struct head *h, const char *name, struct err *e)
{
    if (!view_registered_model(h->view, c->ns, name))
        return false;
    fail(e, &REGISTERED_MODEL_EXISTS, "a registered model with name '%.128s' exists already", name);
    return true;
}

/* --- creating --- */

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct faults faults;
    struct family f;
    struct registered_model_fields want;
    const struct entity *made;
    registered_model_fields_init(&want, c->ns, h->rules);
    faults_init(&faults, c->arena);
    if (decode_body(c, c->body, &want, &faults)) {
        check_namespace(c, want.ns, &faults);
        check_gate(c, h, &want, &faults);
    }
    if (faults.total)
        return faults_fail(&faults, e);
    if (!command_may(c, want.name, c->actions, e) || exists(c, h, want.name, e) ||
        !family_open(&f, &d, want.name, e))
        return false;
    fields_copy(REGISTERED_MODEL_FIELDS, ~fields_flagged(REGISTERED_MODEL_FIELDS, FIELD_SERVER),
                &f.fields, &want);
    if (!family_close(&f, "registered_model.registered", NULL, &made, e) ||
        !text_fits(NULL, made, e))
        return false;
    c->answer.location = location_of(c, REGISTERED_MODELS_PATH, made->id);
    return answer_entity(c, 201, made, NULL, e);
}

bool registered_model_create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return create(c, h, out, e) || refused(out);
}

/* --- changing --- */

static void edit_name(struct model_fields *f, const void *ctx)
{
    f->name = ctx;
}

/* The versions take the new name; their ids, and so aliases and baselines, stay as they are. */
static bool rename_versions(const struct decision *d, const char *to, struct err *e)
{
    const struct model **list;
    size_t n;
    if (!family_versions(d, d->c->id, &list, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!change_model(d, list[i], edit_name, to, "model.renamed", NULL, e))
            return false;
    return true;
}

/* An entity's key is its name, so the old one goes and the new one comes: two entries, one
 * incarnation. */
static bool rename_name(const struct decision *d, const struct registered_model *r,
                        struct registered_model_fields *want, const struct entity **now,
                        struct err *e)
{
    struct arena *a = d->c->arena;
    want->revision = r->entity.revision + 1;
    want->updated_at = d->h->now_ms;
    struct entity *after = registered_model_fields_write(want, r->entity.uid, d->h->names, e);
    if (!after)
        return false;
    struct bytes b = BYTES_INIT(8192);
    bytes_char(&b, '{');
    json_kv_string(&b, "from", r->entity.id);
    json_kv_string(&b, "to", want->name);
    bytes_char(&b, '}');
    const char *evidence = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    changes_put(d->out, a, "registered_model.renamed", &r->entity, NULL, evidence);
    changes_put(d->out, a, "registered_model.renamed", NULL, after, evidence);
    *now = after;
    return rename_versions(d, want->name, e) && renaming_follow(d, r->entity.id, want->name, e);
}

/* The document a PATCH asks for; what only the server sets stays. */
static bool decode_patch(const struct family *family, struct registered_model_fields *want,
                         struct err *e)
{
    const struct command *c = family->d.c;
    const struct registered_model *r = family->before;
    struct faults faults;
    faults_init(&faults, c->arena);
    json_t *text = json_read(r->entity.json, r->entity.json_len, e);
    if (!text)
        return false;
    json_t *merged = c->body ? json_merge(text, c->body) : json_incref(text);
    json_decref(text);
    registered_model_fields_init(want, c->ns, family->d.h->rules);
    patch_unknown(c, REGISTERED_MODEL_FIELDS, &faults);
    if (decode_body(c, merged, want, &faults)) {
        check_namespace(c, want->ns, &faults);
        check_gate(c, family->d.h, want, &faults);
    }
    json_decref(merged);
    if (faults.total)
        return faults_fail(&faults, e);
    fields_copy(REGISTERED_MODEL_FIELDS, fields_flagged(REGISTERED_MODEL_FIELDS, FIELD_SERVER),
                want, &family->fields);
    return true;
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct family f;
    struct registered_model_fields want;
    const struct entity *now;
    const struct registered_model *r = addressed_name(c, h, e);
    if (!r || !body_revision_fits(c, &r->entity, e) || !family_open(&f, &d, c->id, e) ||
        !decode_patch(&f, &want, e))
        return false;
    if (strcmp(want.name, c->id) != 0) {
        if (!command_may(c, want.name, c->actions, e) || exists(c, h, want.name, e) ||
            !rename_name(&d, r, &want, &now, e))
            return false;
    } else {
        f.fields = want;
        if (!family_close(&f, "registered_model.updated", NULL, &now, e))
            return false;
    }
    return text_fits(&r->entity, now, e) && answer_entity(c, 200, now, NULL, e);
}

bool registered_model_patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return patch(c, h, out, e) || refused(out);
}

/* --- deleting --- */

static const char *in_service(const struct command *c, const struct model *const *list, size_t n)
{
    struct bytes b = BYTES_INIT(4 << 20);
    bytes_text(&b, "\"in_service\":[");
    for (size_t i = 0, shown = 0; i < n; i++) {
        if (list[i]->status != STATUS_CANARY && list[i]->status != STATUS_STABLE)
            continue;
        if (shown++)
            bytes_char(&b, ',');
        json_put_string(&b, list[i]->entity.id);
    }
    bytes_char(&b, ']');
    const char *text = b.data[b.len - 2] == '[' ? NULL : arena_copy(c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

static bool delete_name(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    const struct model **list;
    size_t n;
    const struct registered_model *r = addressed_name(c, h, e);
    if (!r || !family_versions(&d, c->id, &list, &n, e))
        return false;
    const char *serving = in_service(c, list, n);
    if (serving) {
        fail(e, &REGISTERED_MODEL_IN_SERVICE, "'%.128s' has canary or stable versions", c->id);
        if (e)
            e->members = serving;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!put_model_gone(&d, list[i], e))
            return false;
    if (!renaming_end(&d, c->id, e))
        return false;
    changes_put(out, c->arena, "registered_model.deleted", &r->entity, NULL, NULL);
    return answer_nothing(c);
}

bool registered_model_delete(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return delete_name(c, h, out, e) || refused(out);
}
