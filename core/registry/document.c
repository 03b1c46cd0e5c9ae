#include "registry/document.h"

#include "base/bytes.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/decide.h"
#include "registry/documents.h"

#include <stdlib.h>
#include <string.h>

#define PARSE_ARENA (4 * (ENTITY_TEXT_MAX + ENTITY_TEXT_ROOM))

const struct document_type *const DOCUMENT_TYPES[ENTITY_KIND_COUNT] = {
    [ENTITY_DATASET] = &DATASET_TYPE,
    [ENTITY_TEST_CASE] = &TEST_CASE_TYPE,
    [ENTITY_TOKEN] = &TOKEN_TYPE,
    [ENTITY_DENIAL] = &DENIAL_TYPE,
    [ENTITY_ALERT] = &ALERT_TYPE,
    [ENTITY_WEBHOOK] = &WEBHOOK_TYPE,
    [ENTITY_FLAG] = &FLAG_TYPE,
    [ENTITY_SEGMENT] = &SEGMENT_TYPE,
    [ENTITY_LAYER] = &LAYER_TYPE,
    [ENTITY_POLICY] = &STORED_POLICY_TYPE,
    [ENTITY_POLICY_VERSION] = &POLICY_VERSION_TYPE,
    [ENTITY_ROUTE] = &ROUTE_TYPE,
    [ENTITY_EXPERIMENT] = &EXPERIMENT_TYPE,
    [ENTITY_VALIDATION] = &VALIDATION_SUMMARY_TYPE,
    [ENTITY_REGRESSION] = &REGRESSION_NOTICE_TYPE,
    [ENTITY_BASELINE] = &BASELINE_TYPE,
    [ENTITY_NIGHTLY] = &NIGHTLY_BATCH_TYPE,
};

const char *identifier_fault(const char *text)
{
    return id_valid(text) ? NULL
                          : "must be an identifier: a letter or digit, then up to 127 of "
                            "A-Z a-z 0-9 . _ : -";
}

const char *document_model(const void *fields)
{
    return ((const struct document_head *)fields)->id;
}

const char *document_owner(const struct view *v, const struct document_type *t, const char *ns,
                           const void *fields)
{
    const char *name = t->owner ? t->owner(fields) : NULL;
    const char *id = !name && t->model ? t->model(fields) : NULL;
    const struct model *m = id ? view_resolve(v, ns, id, NULL) : NULL;
    return m ? m->name : name;
}

const struct document *view_document(const struct view *v, const struct document_type *t,
                                     const char *ns, const char *id)
{
    const struct entity *e = view_get(v, t->kind, ns, id);
    return e ? document_of(e) : NULL;
}

const struct document *document_find(const struct view *v, const struct document_type *t,
                                     const char *ns, const char *id, struct arena *a,
                                     bool *is_implied)
{
    const struct document *d = view_document(v, t, ns, id);
    *is_implied = !d && t->implied;
    return *is_implied ? t->implied(v, ns, id, a) : d;
}

/* --- one heap block --- */

static bool is_text(const struct field *f)
{
    return f->type == FIELD_STRING || f->type == FIELD_ENUM || f->type == FIELD_OBJECT ||
           f->type == FIELD_STRINGS || f->type == FIELD_ANY;
}

static size_t texts_size(const struct field *table, const char *base)
{
    size_t size = 0;
    for (const struct field *f = table; f->name; f++) {
        const char *text;
        if (f->type == FIELD_NESTED)
            size += texts_size(f->sub, base + f->offset);
        if (!is_text(f))
            continue;
        memcpy(&text, base + f->offset, sizeof text);
        size += text ? strlen(text) + 1 : 0;
    }
    return size;
}

/* Copy each text to `*at` and let the struct point there. */
static void texts_move(const struct field *table, char *base, char **at)
{
    for (const struct field *f = table; f->name; f++) {
        const char *text;
        if (f->type == FIELD_NESTED)
            texts_move(f->sub, base + f->offset, at);
        if (!is_text(f))
            continue;
        memcpy(&text, base + f->offset, sizeof text);
        if (!text)
            continue;
        size_t size = strlen(text) + 1;
        memcpy(*at, text, size);
        text = *at;
        memcpy(base + f->offset, &text, sizeof text);
        *at += size;
    }
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* The parts of a stored value. */
struct value {
    const char *json, *hidden; /* hidden NULL: there is nothing else to know */
    size_t json_len, hidden_len;
};

static struct value value_split(const char *text, size_t len)
{
    struct value v = {text, NULL, len, 0};
    const char *line = memchr(text, '\n', len);
    if (line) {
        v.json_len = (size_t)(line - text);
        v.hidden = line + 1;
        v.hidden_len = len - v.json_len - 1;
    }
    return v;
}

/* Lay out the document: struct document, fields, derived, texts. */
static struct document *lay_out(const struct document_type *t, const struct value *v,
                                const void *fields)
{
    size_t at_fields = aligned(sizeof(struct document));
    size_t at_derived = at_fields + aligned(t->size);
    size_t derived = t->derive ? t->derive(fields, NULL) : 0;
    size_t at_texts = at_derived + aligned(derived);
    size_t texts = texts_size(t->fields, fields) + v->json_len + 1 + v->hidden_len + 1;
    char *block = mem_zero(1, at_texts + texts), *at = block + at_texts;
    struct document *d = (struct document *)(void *)block;
    memcpy(block + at_fields, fields, t->size);
    texts_move(t->fields, block + at_fields, &at);
    d->fields = block + at_fields;
    d->entity.json = memcpy(at, v->json, v->json_len);
    d->entity.json_len = v->json_len;
    at += v->json_len + 1;
    if (v->hidden)
        d->entity.hidden = memcpy(at, v->hidden, v->hidden_len);
    if (t->derive) {
        t->derive(d->fields, block + at_derived);
        d->derived = block + at_derived;
    }
    return d;
}

static bool decode_stored(const struct document_type *t, const struct value *v, struct arena *a,
                          void *fields)
{
    struct err ignored; /* the caller says it with the id */
    const char *text = v->hidden ? v->hidden : v->json;
    return fields_read_stored(t->fields, text, v->hidden ? v->hidden_len : v->json_len, t->noun,
                              fields, a, &ignored);
}

struct entity *document_parse(const struct document_type *t, const struct entity_source *from,
                              struct intern *names, struct err *e)
{
    struct value v = value_split(from->value, from->len);
    struct arena *a = arena_new(PARSE_ARENA);
    struct document *d = NULL;
    void *fields = arena_zero(a, t->size);
    struct document_head *head = fields;
    if (t->init)
        t->init(fields, NULL);
    if (decode_stored(t, &v, a, fields) && head->id && strcmp(head->id, from->id) == 0 &&
        head->revision > 0) {
        head->ns = from->ns;
        d = lay_out(t, &v, fields);
        d->entity.kind = t->kind;
        d->entity.ns = intern(names, from->ns);
        d->entity.id = ((const struct document_head *)d->fields)->id;
        d->entity.uid = from->uid;
        d->entity.revision = head->revision;
    } else {
        fail(e, &ERR_CORRUPT, "the stored text of the %s '%.200s' is damaged", t->noun, from->id);
    }
    arena_free(a);
    return d ? &d->entity : NULL;
}

/* --- writing --- */

static bool has_secrets(const struct field *table)
{
    for (const struct field *f = table; f->name; f++)
        if (f->flags & (FIELD_SECRET | FIELD_HIDDEN))
            return true;
    return false;
}

static struct entity *document_make(const struct document_type *t, const void *fields, uint64_t uid,
                                    struct intern *names, struct err *e)
{
    const struct document_head *head = fields;
    struct bytes b = BYTES_INIT(2 * (ENTITY_TEXT_MAX + ENTITY_TEXT_ROOM));
    struct entity *made = NULL;
    fields_encode_object(t->fields, fields, false, &b);
    if (has_secrets(t->fields)) {
        bytes_char(&b, '\n');
        fields_encode_object(t->fields, fields, true, &b);
    }
    if (b.full)
        fail(e, &ERR_INVALID, "the %s would have more than %zu bytes as JSON", t->noun,
             ENTITY_TEXT_MAX);
    else
        made = document_parse(t, &(struct entity_source){head->ns, head->id, uid, b.data, b.len},
                              names, e);
    bytes_release(&b);
    return made;
}

/* The text that `want` is to have. */
static struct entity *next_of(struct document_write *w, const struct entity *stored, struct err *e)
{
    struct document_head *head = w->want;
    const struct document *before = w->before;
    uint64_t uid = stored ? stored->uid : w->h->next_uid++;
    head->ns = w->c->ns;
    head->created_at = before ? head->created_at : w->h->now_ms;
    head->updated_at = w->h->now_ms;
    head->revision = before ? before->entity.revision + 1 : 1;
    if (!head->id)
        head->id = arena_printf(w->c->arena, "%s%llu", w->type->id_prefix, (unsigned long long)uid);
    return document_make(w->type, w->want, uid, w->h->names, e);
}

const struct entity *document_put(struct document_write *w, const char *action,
                                  const char *evidence, struct err *e)
{
    const struct entity *stored = w->before && !w->implied ? &w->before->entity : NULL;
    struct entity *after = next_of(w, stored, e);
    if (!after)
        return NULL;
    changes_put(w->out, w->c->arena, action, stored, after, evidence);
    return text_fits(stored, after, e) ? after : NULL;
}

const struct entity *document_move(struct document_write *w, const char *action, struct err *e)
{
    const struct entity *stored = &w->before->entity;
    struct entity *after = next_of(w, stored, e);
    if (!after)
        return NULL;
    changes_put(w->out, w->c->arena, action, stored, NULL, NULL);
    changes_put(w->out, w->c->arena, action, NULL, after, NULL);
    return text_fits(stored, after, e) ? after : NULL;
}
