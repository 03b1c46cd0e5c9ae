#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/family.h"
#include "registry/field_diff.h"
#include "registry/version.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A write of a model's editable fields on its way. */
struct edit {
    struct decision d;
    const struct model *now;  /* NULL: registers */
    struct model_fields old;  /* of `now` */
    struct model_fields want; /* what the body asks for */
    struct family family;
    struct faults faults;
};

/* --- checks --- */

static void check_type(struct edit *ed)
{
    const char *type = ed->want.type;
    char list[400] = "";
    size_t len = 0;
    if (!type || (ed->now && strcmp(type, ed->old.type) == 0))
        return; /* a type that configuration has dropped since stays with the models that have it */
    for (const char *const *t = ed->d.h->rules->types; *t; t++) {
        if (strcmp(*t, type) == 0)
            return;
        int n = snprintf(list + len, sizeof list - len, "%s'%s'", len ? ", " : "", *t);
        len += n > 0 && (size_t)n < sizeof list - len ? (size_t)n : 0;
        list[len] = '\0';
    }
    fault_add(&ed->faults, &ERR_INVALID, "/type", "must be one of %s, got '%.64s'", list, type);
}

static void check_fixed(struct edit *ed, const char *pointer, const char *want, const char *is)
{
    if (want && is && strcmp(want, is) != 0)
        fault_add(&ed->faults, &ERR_READ_ONLY_FIELD, pointer, "cannot change: it is '%.200s'", is);
}

/* Store the baseline as the id that its reference leads to. */
static void resolve_baseline(struct edit *ed)
{
    const char *given = ed->want.baseline_model_id;
    if (!given ||
        (ed->now && ed->old.baseline_model_id && strcmp(given, ed->old.baseline_model_id) == 0))
        return; /* one that is unchanged may be gone since */
    const struct model *m =
        referenced_model(ed->d.c, ed->d.h, given, "/baseline_model_id", &ed->faults);
    if (m && m == ed->now)
        fault_add(&ed->faults, &ERR_INVALID, "/baseline_model_id", "must be another model");
    else if (m)
        ed->want.baseline_model_id = arena_text(ed->d.c->arena, m->entity.id);
}

static bool version_taken(const struct edit *ed, const char *version)
{
    return view_version(ed->d.h->view, ed->d.c->ns, ed->want.name, version) != NULL;
}

/* A program that may not run is told at once, not at night; one that is unchanged stays. */
static void check_runtime(struct edit *ed)
{
    const char *const *dirs = ed->d.h->rules->exec_dirs;
    const char *runtime = ed->want.runtime;
    if (!runtime || !dirs || !*dirs ||
        (ed->now && ed->old.runtime && strcmp(ed->old.runtime, runtime) == 0))
        return;
    runtime_check_program(runtime, dirs, &ed->faults);
}

/* --- registering --- */

/* The name's next number; one whose default id is taken (after a rename) is passed over. */
static void next_version(struct edit *ed)
{
    struct arena *a = ed->d.c->arena;
    int64_t n = ed->family.fields.last_version_number;
    const char *id;
    do {
        ed->want.version = arena_printf(a, "%" PRId64, ++n);
        id = ed->want.model_id ? NULL : arena_printf(a, "%s:%s", ed->want.name, ed->want.version);
    } while (version_taken(ed, ed->want.version) ||
             (id && view_model(ed->d.h->view, ed->d.c->ns, id)));
}

static bool settle_identity(struct edit *ed, struct err *e)
{
    if (!ed->want.version)
        next_version(ed);
    else if (version_taken(ed, ed->want.version))
        return fail(e, &MODEL_EXISTS, "version '%s' of '%.128s' is registered already",
                    ed->want.version, ed->want.name);
    if (!ed->want.model_id)
        ed->want.model_id = arena_printf(ed->d.c->arena, "%s:%s", ed->want.name, ed->want.version);
    if (view_model(ed->d.h->view, ed->d.c->ns, ed->want.model_id))
        return fail(e, &MODEL_EXISTS, "a model with id '%.200s' is registered already",
                    ed->want.model_id);
    return true;
}

static void remember_number(struct family *f, const char *version)
{
    int64_t number = version_number(version);
    if (number > f->fields.last_version_number)
        f->fields.last_version_number = number;
}

static bool register_decoded(struct edit *ed, struct err *e)
{
    struct command *c = ed->d.c;
    const int64_t now = ed->d.h->now_ms;
    if (ed->want.name && !command_may(c, ed->want.name, c->actions, e))
        return false;
    check_type(ed);
    check_fixed(ed, "/namespace", ed->want.ns, c->ns);
    check_runtime(ed);
    resolve_baseline(ed);
    if (ed->faults.total)
        return faults_fail(&ed->faults, e);
    if (!family_open(&ed->family, &ed->d, ed->want.name, e) || !settle_identity(ed, e))
        return false;
    ed->want.created_by = actor_json(c);
    ed->want.created_at = ed->want.status_changed_at = now;
    if (!put_model(&ed->d, NULL, &ed->want, "model.registered", NULL, e))
        return false;
    const struct entity *made = ed->d.out->list[ed->d.out->n - 1].after;
    if (!text_fits(NULL, made, e))
        return false;
    ed->family.fields.versions++;
    remember_number(&ed->family, ed->want.version);
    c->answer.location = location_of(c, MODELS_PATH, made->id);
    return family_close(&ed->family,
                        ed->family.before ? "registered_model.updated"
                                          : "registered_model.registered",
                        NULL, NULL, e) &&
           answer_entity(c, 201, made, NULL, e);
}

static void edit_open(struct edit *ed, struct command *c, struct head *h, struct changes *out)
{
    ed->d = (struct decision){c, h, out};
    ed->now = NULL;
    faults_init(&ed->faults, c->arena);
    model_fields_init(&ed->want, c->ns);
}

static void decode_want(struct edit *ed, const json_t *body)
{
    json_t *none = body ? NULL : json_object();
    bool ok = fields_decode(MODEL_FIELDS, body ? body : none, "", DECODE_CREATE, &ed->want,
                            ed->d.c->arena, NULL, &ed->faults);
    (void)ok; /* the faults are looked at when all are found */
    json_decref(none);
}

bool model_register(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct edit ed;
    edit_open(&ed, c, h, out);
    decode_want(&ed, c->body);
    return register_decoded(&ed, e) || refused(out);
}

/* --- changing --- */

/* Fields that the body leaves out: a version stays, and so does in a PUT what is frozen by now (it
 * is no longer among the editable fields, which go back to their defaults). */
static void keep_unnamed(struct edit *ed, bool put)
{
    uint64_t frozen = fields_flagged(MODEL_FIELDS, FIELD_FROZEN), keep = 0;
    for (size_t i = 0; MODEL_FIELDS[i].name; i++)
        if ((frozen >> i & 1) && !body_names(ed->d.c, MODEL_FIELDS[i].name))
            keep |= UINT64_C(1) << i;
    if (put && model_left_development(ed->now))
        fields_copy(MODEL_FIELDS, keep, &ed->want, &ed->old);
    if (!ed->want.version)
        ed->want.version = ed->old.version;
    ed->want.ns = ed->old.ns;
    ed->want.model_id = ed->old.model_id;
    fields_copy(MODEL_FIELDS, fields_flagged(MODEL_FIELDS, FIELD_SERVER), &ed->want, &ed->old);
}

/* FIELD_FROZEN, naming the fields that would change. */
static bool frozen_refuses(const struct edit *ed, uint64_t changed, struct err *e)
{
    struct bytes list = BYTES_INIT(400), json = BYTES_INIT(400);
    bytes_text(&json, "\"fields\":[");
    for (size_t i = 0; MODEL_FIELDS[i].name; i++) {
        if (!(changed >> i & 1))
            continue;
        bytes_printf(&list, "%s%s", list.len ? ", " : "", MODEL_FIELDS[i].name);
        bytes_printf(&json, "%s\"%s\"", json.data[json.len - 1] == '[' ? "" : ",",
                     MODEL_FIELDS[i].name);
    }
    bytes_char(&json, ']');
    fail(e, &FIELD_IS_FROZEN, "'%.200s' has left development: %s cannot change", ed->now->entity.id,
         list.data);
    if (e)
        e->members = arena_copy(ed->d.c->arena, json.data, json.len);
    bytes_release(&list);
    bytes_release(&json);
    return false;
}

static bool put_edit(struct edit *ed, uint64_t changed, struct err *e)
{
    struct command *c = ed->d.c;
    bool version = changed & field_bit(MODEL_FIELDS, "version");
    if (version && version_taken(ed, ed->want.version))
        return fail(e, &MODEL_EXISTS, "version '%s' of '%.128s' is registered already",
                    ed->want.version, ed->want.name);
    if (!put_model(&ed->d, ed->now, &ed->want, "model.updated", NULL, e) ||
        !text_fits(&ed->now->entity, ed->d.out->list[0].after, e))
        return false;
    if (version) {
        if (!family_open(&ed->family, &ed->d, ed->want.name, e))
            return false;
        remember_number(&ed->family, ed->want.version);
        if (!family_close(&ed->family, "registered_model.updated", NULL, NULL, e))
            return false;
    }
    return answer_entity(c, 200, ed->d.out->list[0].after, NULL, e);
}

static bool change_decoded(struct edit *ed, bool put, struct err *e)
{
    check_fixed(ed, "/namespace", ed->want.ns, ed->old.ns);
    check_fixed(ed, "/model_id", ed->want.model_id, ed->old.model_id);
    check_fixed(ed, "/name", ed->want.name, ed->old.name);
    check_type(ed);
    check_runtime(ed);
    resolve_baseline(ed);
    if (ed->faults.total)
        return faults_fail(&ed->faults, e);
    keep_unnamed(ed, put);
    uint64_t changed = fields_diff(MODEL_FIELDS, &ed->old, &ed->want);
    uint64_t frozen = changed & fields_flagged(MODEL_FIELDS, FIELD_FROZEN);
    if (!changed)
        return answer_entity(ed->d.c, 200, &ed->now->entity, NULL, e);
    if (frozen && model_left_development(ed->now))
        return frozen_refuses(ed, frozen, e);
    return put_edit(ed, changed, e);
}

/* What a PATCH asks for, as a whole document: the merge of the model's text and the body. */
static bool merged_body(struct edit *ed, json_t **merged, struct err *e)
{
    json_t *text = json_read(ed->now->entity.json, ed->now->entity.json_len, e);
    if (!text)
        return false;
    *merged = ed->d.c->body ? json_merge(text, ed->d.c->body) : json_incref(text);
    json_decref(text);
    patch_unknown(ed->d.c, MODEL_FIELDS, &ed->faults);
    return true;
}

static bool change_existing(struct edit *ed, const struct model *m, bool put, struct err *e)
{
    json_t *merged = NULL;
    ed->now = m;
    ed->want.ns = NULL; /* the body's, if it has one */
    if (!body_revision_fits(ed->d.c, &m->entity, e) ||
        !model_fields_read(m, ed->d.c->arena, &ed->old, e) ||
        (!put && !merged_body(ed, &merged, e)))
        return false;
    decode_want(ed, put ? ed->d.c->body : merged);
    json_decref(merged);
    return change_decoded(ed, put, e);
}

bool model_patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct edit ed;
    edit_open(&ed, c, h, out);
    const struct model *m = addressed_model(c, h, e);
    return (m && change_existing(&ed, m, false, e)) || refused(out);
}

/* PUT to an id that no model has: register it under that id. */
static bool put_new(struct edit *ed, struct err *e)
{
    struct command *c = ed->d.c;
    const char *wrong = model_id_fault(c->id);
    if (c->if_match != -1)
        return fail(e, &REVISION_MISMATCH, "no model with id '%.200s' exists yet", c->id);
    if (wrong)
        return fault_add(&ed->faults, &ERR_INVALID, "/model_id", "%s", wrong) ||
               faults_fail(&ed->faults, e);
    decode_want(ed, c->body);
    check_fixed(ed, "/model_id", ed->want.model_id, c->id);
    ed->want.model_id = arena_text(c->arena, c->id);
    return register_decoded(ed, e);
}

bool model_replace(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct edit ed;
    edit_open(&ed, c, h, out);
    const struct model *m = NULL;
    /* No id has an '@': that is a reference, which must lead somewhere. */
    if (view_model(h->view, c->ns, c->id) || strchr(c->id, '@')) {
        m = addressed_model(c, h, e);
        if (!m)
            return false;
    }
    return (m ? change_existing(&ed, m, true, e) : put_new(&ed, e)) || refused(out);
}

/* --- deleting --- */

static void delete_aliases(struct family *f, const struct model *m)
{
    for (size_t i = f->n_aliases; i-- > 0;)
        if (strcmp(f->aliases[i].model_id, m->entity.id) == 0)
            family_alias_remove(f, i);
}

static bool delete_model(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct family family;
    const struct model *m = addressed_model(c, h, e);
    if (!m)
        return false;
    if (m->status != STATUS_DEVELOPMENT && m->status != STATUS_RETIRED) {
        fail(e, &MODEL_IN_SERVICE,
             "'%.200s' is %s; only development and retired models are deleted", m->entity.id,
             status_name(m->status));
        if (e)
            e->members = arena_printf(c->arena, "\"model_status\":\"%s\",\"legal\":%s",
                                      status_name(m->status), legal_json(c->arena, m->status));
        return false;
    }
    if (!family_open(&family, &d, m->name, e))
        return false;
    if (!put_model_gone(&d, m, e))
        return false;
    delete_aliases(&family, m);
    family.fields.versions--;
    return family_close(&family, "registered_model.updated", NULL, NULL, e) && answer_nothing(c);
}

bool model_delete(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return delete_model(c, h, out, e) || refused(out);
}
