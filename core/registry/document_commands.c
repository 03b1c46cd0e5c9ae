#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/document.h"
#include "registry/field_diff.h"

#include <string.h>

const struct field DOCUMENT_ROLLBACK_FIELDS[] = {
    {.name = "version",
     .type = FIELD_INT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct document_rollback, version),
     .min = 1,
     .max = 9007199254740992.0,
     .doc = "The version (of a policy) or revision (of others) that it is to be again."},
    FIELD_REASON(offsetof(struct document_rollback, reason)),
    {0},
};

static void write_open(struct document_write *w, struct command *c, struct head *h,
                       struct changes *out)
{
    const struct document_type *t = c->args;
    *w = (struct document_write){.type = t, .c = c, .h = h, .out = out};
    w->want = arena_zero(c->arena, t->size);
    if (t->init)
        t->init(w->want, h->rules);
    faults_init(&w->faults, c->arena);
}

static void decode(struct document_write *w, const json_t *body)
{
    json_t *none = body ? NULL : json_object();
    bool ok = fields_decode(w->type->fields, body ? body : none, "", DECODE_CREATE, w->want,
                            w->c->arena, NULL, &w->faults);
    (void)ok; /* the faults are looked at when all are found */
    json_decref(none);
}

static void check_fixed(struct document_write *w, const char *name, const char *given,
                        const char *is)
{
    char pointer[80];
    pointer_join(pointer, sizeof pointer, "", name);
    if (given && strcmp(given, is) != 0)
        fault_add(&w->faults, &ERR_READ_ONLY_FIELD, pointer, "cannot change: it is '%.200s'", is);
}

static bool checked(struct document_write *w, struct err *e)
{
    if (w->faults.total == 0 && w->type->check && !w->type->check(w, e))
        return false;
    return w->faults.total == 0 || faults_fail(&w->faults, e);
}

static const struct document *addressed(const struct document_type *t, const struct command *c,
                                        const struct head *h, bool *implied, struct err *e)
{
    const struct document *d = document_find(h->view, t, c->ns, c->id, c->arena, implied);
    if (!d || !command_sees(c, view_owner(h->view, &d->entity))) {
        fail(e, t->not_found, "no %s with id '%.200s'", t->noun, c->id);
        return NULL;
    }
    return command_may(c, view_owner(h->view, &d->entity), c->actions, e) &&
                   if_match_fits(c, &d->entity, e)
               ? d
               : NULL;
}

const struct document *addressed_document(const struct document_type *t, const struct command *c,
                                          const struct head *h, struct err *e)
{
    bool implied;
    const struct document *d = addressed(t, c, h, &implied, e);
    if (d && implied)
        fail(e, t->not_found, "no %s with id '%.200s' is stored", t->noun, c->id);
    return implied ? NULL : d;
}

/* May the actor do this to what `want` is to belong to? */
static bool owner_allowed(const struct document_write *w, struct err *e)
{
    const struct document_head *head = w->want;
    const char *owner = document_owner(w->h->view, w->type, w->c->ns, w->want);
    owner = owner ? owner : head->id;
    return command_may(w->c, owner, w->c->actions, e);
}

/* --- creating --- */

static void check_id(struct document_write *w)
{
    const struct document_head *head = w->want;
    char pointer[80];
    pointer_join(pointer, sizeof pointer, "", w->type->id_name);
    if (!head->id && !w->type->id_prefix && !body_names(w->c, w->type->id_name))
        fault_add(&w->faults, &ERR_INVALID, pointer, "is required");
}

static bool create(struct document_write *w, struct err *e)
{
    const struct document_type *t = w->type;
    const struct document_head *head = w->want;
    check_fixed(w, "namespace", head->ns, w->c->ns);
    check_id(w);
    if (w->faults.total)
        return faults_fail(&w->faults, e);
    if (!owner_allowed(w, e))
        return false;
    bool implied;
    if (head->id && document_find(w->h->view, t, w->c->ns, head->id, w->c->arena, &implied))
        return fail(e, t->exists, "a %s '%.200s' exists already", t->noun, head->id);
    if (!checked(w, e))
        return false;
    const struct entity *made = document_put(w, t->created, NULL, e);
    if (!made)
        return false;
    w->c->answer.location = location_of(w->c, t->path, made->id);
    return answer_entity(w->c, 201, made, NULL, e);
}

bool document_create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct document_write w;
    write_open(&w, c, h, out);
    decode(&w, c->body);
    return create(&w, e) || refused(out);
}

/* --- changing --- */

/* What the body cannot say, or left out because it never sees it, stays. */
static void keep_unseen(struct document_write *w)
{
    const struct field *table = w->type->fields;
    uint64_t keep = fields_flagged(table, FIELD_SERVER | FIELD_HIDDEN);
    for (size_t i = 0; table[i].name; i++)
        if (table[i].flags & FIELD_SECRET && !body_names(w->c, table[i].name))
            keep |= UINT64_C(1) << i;
    fields_copy(table, keep, w->want, w->before->fields);
}

static bool change(struct document_write *w, const json_t *body, const char *action, struct err *e)
{
    const struct document_head *old = w->before->fields;
    struct document_head *head = w->want;
    decode(w, body);
    check_fixed(w, "namespace", head->ns, old->ns);
    check_fixed(w, w->type->id_name, head->id, old->id);
    if (w->faults.total)
        return faults_fail(&w->faults, e);
    head->ns = old->ns;
    head->id = old->id;
    keep_unseen(w);
    if (fields_diff(w->type->fields, w->before->fields, w->want) == 0)
        return answer_entity(w->c, 200, &w->before->entity, NULL, e);
    if (!owner_allowed(w, e) || !checked(w, e))
        return false;
    const struct entity *after = document_put(w, action, NULL, e);
    return after && answer_entity(w->c, 200, after, NULL, e);
}

static bool patch(struct document_write *w, struct err *e)
{
    const struct entity *now = &w->before->entity;
    json_t *text = json_read(now->json, now->json_len, e);
    if (!text)
        return false;
    json_t *merged = w->c->body ? json_merge(text, w->c->body) : json_incref(text);
    json_decref(text);
    patch_unknown(w->c, w->type->fields, &w->faults);
    bool ok = change(w, merged, w->type->updated, e);
    json_decref(merged);
    return ok;
}

bool document_patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct document_write w;
    write_open(&w, c, h, out);
    w.before = addressed(w.type, c, h, &w.implied, e);
    return (w.before && body_revision_fits(c, &w.before->entity, e) && patch(&w, e)) ||
           refused(out);
}

static bool put_new(struct document_write *w, struct err *e)
{
    struct command *c = w->c;
    struct document_head *head = w->want;
    if (c->if_match != -1)
        return fail(e, &REVISION_MISMATCH, "no %s '%.200s' exists yet", w->type->noun, c->id);
    decode(w, c->body);
    check_fixed(w, w->type->id_name, head->id, c->id);
    head->id = arena_text(c->arena, c->id);
    for (const struct field *f = w->type->fields; f->name; f++) {
        const char *wrong =
            strcmp(f->name, w->type->id_name) == 0 && f->check ? f->check(c->id) : NULL;
        if (wrong)
            fault_add(&w->faults, &ERR_INVALID, arena_printf(c->arena, "/%s", f->name), "%s",
                      wrong);
    }
    return create(w, e);
}

bool document_replace(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct document_write w;
    write_open(&w, c, h, out);
    bool ok;
    if (document_find(h->view, w.type, c->ns, c->id, c->arena, &w.implied)) {
        w.before = addressed(w.type, c, h, &w.implied, e);
        ok = w.before && body_revision_fits(c, &w.before->entity, e) &&
             change(&w, c->body, w.type->updated, e);
    } else {
        ok = put_new(&w, e);
    }
    return ok || refused(out);
}

/* --- going back --- */

static bool restore(struct document_write *w, const struct document_past *past, struct err *e)
{
    json_t *text = json_read(past->text, past->len, e);
    void *like = arena_zero(w->c->arena, w->type->size);
    if (!text)
        return false;
    if (w->type->init)
        w->type->init(like, w->h->rules);
    w->like = like; /* it was good when it was stored; the check looks at it again */
    bool ok = fields_decode_stored(w->type->fields, text, "past text", like, w->c->arena, e) &&
              change(w, text, past->action, e);
    json_decref(text);
    return ok;
}

bool document_restore(struct command *c, struct head *h, struct changes *out,
                      const struct document_past *past, struct err *e)
{
    struct document_write w = {.type = past->type, .c = c, .h = h, .out = out};
    w.want = arena_zero(c->arena, past->type->size);
    if (past->type->init)
        past->type->init(w.want, h->rules);
    faults_init(&w.faults, c->arena);
    w.before = addressed_document(past->type, c, h, e);
    return (w.before && restore(&w, past, e)) || refused(out);
}

/* --- deleting --- */

bool document_delete(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct document_type *t = c->args;
    struct document_write w = {.type = t, .c = c, .h = h, .out = out};
    faults_init(&w.faults, c->arena);
    w.before = addressed(t, c, h, &w.implied, e);
    if (!w.before || (t->remove && !t->remove(&w, e)))
        return refused(out);
    if (w.implied) /* it is as it would be after */
        return answer_nothing(c);
    changes_put(out, c->arena, t->deleted, &w.before->entity, NULL, NULL);
    return answer_nothing(c);
}

/* --- users --- */

struct users {
    bool (*uses)(const struct document *d, const char *what);
    const char *what;
    struct bytes list;
    size_t n;
};

static bool note_user(const struct entity *e, void *ctx)
{
    struct users *u = ctx;
    if (!u->uses(document_of(e), u->what))
        return true;
    if (u->n++)
        bytes_char(&u->list, ',');
    json_put_string(&u->list, e->id);
    return u->n < 100;
}

size_t document_users(const struct document_write *w, enum entity_kind kind,
                      bool (*uses)(const struct document *d, const char *what), const char *what,
                      const char **members)
{
    struct users u = {uses, what, BYTES_INIT(65536), 0};
    view_each_of(w->h->view, kind, w->c->ns, note_user, &u);
    *members = u.n ? arena_printf(w->c->arena, "\"in_use\":[%s]", u.list.data) : NULL;
    bytes_release(&u.list);
    return u.n;
}
