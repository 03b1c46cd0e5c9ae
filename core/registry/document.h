/* document: a stored object that one field table describes. Room: registry. Threads: a document is
 * immutable, [any]; its commands are decided on [engine].
 *
 * Models and registered models have decisions of their own. Everything else that people keep here
 * (datasets, test cases, webhooks, ...) is created, read, listed, patched, replaced and deleted in
 * the same way, so a kind is a struct that begins with `struct document_head`, a field table, and
 * one `struct document_type` in DOCUMENT_TYPES. See README.md for how to add one. */
#ifndef PADDOCK_REGISTRY_DOCUMENT_H
#define PADDOCK_REGISTRY_DOCUMENT_H

#include "base/field.h"
#include "registry/command.h"
#include "registry/entity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every kind's struct begins with. */
struct document_head {
    const char *ns, *id;
    int64_t created_at, updated_at; /* ms */
    int64_t revision;
};

/* As a view holds it: one heap block with its texts. */
struct document {
    struct entity entity;
    const void *fields;  /* the kind's struct, secrets included */
    const void *derived; /* what the type's derive() made of it; NULL without one */
};

static inline const struct document *document_of(const struct entity *e)
{
    return (const struct document *)(const void *)e;
}

/* A document on its way into the head, for the hooks of its type. */
struct document_write {
    const struct document_type *type;
    struct command *c;
    struct head *h;
    struct changes *out;           /* further changes of the same command may be put here */
    const struct document *before; /* NULL: it is created */
    bool implied;                  /* `before` is not stored: see document_type */
    void *want;                    /* the kind's struct as it is to become; may be completed */
    const void *like;              /* the kind's struct of the past that is to return; or NULL */
    struct faults faults;
};

struct document_type {
    enum entity_kind kind;
    const char *noun;      /* for people: "dataset" */
    const char *id_name;   /* its field and its path parameter: "dataset_id" */
    const char *id_prefix; /* ids that nobody gives are this and a number; NULL: must be given */
    const char *path;      /* where it lives, up to the id: ".../datasets/" */
    const struct field *fields; /* rows as the macros below make them, and the kind's own */
    size_t size;                /* of the kind's struct */
    const struct err_kind *not_found, *exists;
    const char *created, *updated, *deleted; /* journal actions, in JOURNAL_ACTIONS */
    /* Set what a client does not give; the struct is zeroed before. May be NULL. */
    void (*init)(void *fields, const struct rules *rules);
    /* Look at `want` beside the head: add faults to w->faults (and return true), or refuse by a
     * rule with `e`. Not called for what changes nothing. May be NULL. */
    bool (*check)(struct document_write *w, struct err *e);
    /* May it be deleted? `want` is NULL. May be NULL: always. */
    bool (*remove)(struct document_write *w, struct err *e);
    /* Fill `out` with what readers want ready made (compiled rules, ...); called with NULL first
     * for its size in bytes. Pointers into `fields` are allowed. Pure. May be NULL. */
    size_t (*derive)(const void *fields, void *out);
    /* The one that is there under this id without anybody having stored it, at revision 1, in the
     * arena; NULL: there is none. Storing it is a change of it, deleting it brings it back. Pure.
     * May be NULL: there never is. */
    const struct document *(*implied)(const struct view *v, const char *ns, const char *id,
                                      struct arena *a);
    /* The name of the registered model it belongs to, which grants go by; NULL: it does not tell.
     * May be NULL: never. */
    const char *(*owner)(const void *fields);
    /* Else the id of (or a reference to) the model it belongs to; NULL: to none, and it counts by
     * its own id. May be NULL: never to one. */
    const char *(*model)(const void *fields);
};

/* Rows of a field table whose struct begins with struct document_head. */
#define DOCUMENT_NAMESPACE                                                                 \
    {                                                                                      \
        .name = "namespace", .type = FIELD_STRING, .flags = FIELD_FIXED,                   \
        .offset = offsetof(struct document_head, ns), .max = 128, .doc = "Where it lives." \
    }
#define DOCUMENT_ID(name_, check_, doc_)                                                     \
    {                                                                                        \
        .name = name_, .type = FIELD_STRING, .flags = FIELD_FIXED,                           \
        .offset = offsetof(struct document_head, id), .min = 1, .max = 193, .check = check_, \
        .doc = doc_                                                                          \
    }
#define DOCUMENT_DESCRIPTION(offset_)                                                 \
    {                                                                                 \
        .name = "description", .type = FIELD_STRING, .offset = offset_, .max = 65536, \
        .check = text64k_fault, .doc = "For people; at most 64 KiB."                  \
    }
#define DOCUMENT_STAMPS                                                                          \
    {.name = "created_at",                                                                       \
     .type = FIELD_TIME,                                                                         \
     .flags = FIELD_SERVER,                                                                      \
     .offset = offsetof(struct document_head, created_at),                                       \
     .doc = "When it was made."},                                                                \
        {.name = "updated_at",                                                                   \
         .type = FIELD_TIME,                                                                     \
         .flags = FIELD_SERVER,                                                                  \
         .offset = offsetof(struct document_head, updated_at),                                   \
         .doc = "When it last changed."},                                                        \
    {                                                                                            \
        .name = "revision", .type = FIELD_INT, .flags = FIELD_SERVER,                            \
        .offset = offsetof(struct document_head, revision), .min = 1, .max = 9007199254740992.0, \
        .doc = "Grows by one with each change; also the ETag."                                   \
    }
/* NULL, or what is wrong with an identifier (api.md, Conventions). */
const char *identifier_fault(const char *text);

/* By entity kind; NULL for kinds that are no documents. */
extern const struct document_type *const DOCUMENT_TYPES[ENTITY_KIND_COUNT];

/* A model() for kinds whose id is the model's. */
const char *document_model(const void *fields);

/* --- reading --- */

/* The name of the registered model that a document with these fields belongs to, or NULL. */
const char *document_owner(const struct view *v, const struct document_type *t, const char *ns,
                           const void *fields);
const struct document *view_document(const struct view *v, const struct document_type *t,
                                     const char *ns, const char *id);
/* The same, those that are there without being stored included: `is_implied` says so. */
const struct document *document_find(const struct view *v, const struct document_type *t,
                                     const char *ns, const char *id, struct arena *a,
                                     bool *is_implied);
/* The typed entity of a stored value: the public text and, where the table has secret or hidden
 * fields, a line feed and the text with all of them. NULL and ERR_CORRUPT. */
struct entity *document_parse(const struct document_type *t, const struct entity_source *from,
                              struct intern *names, struct err *e);

/* --- decide functions; c->args is the document_type --- */
bool document_create(struct command *c, struct head *h, struct changes *out, struct err *e);
bool document_patch(struct command *c, struct head *h, struct changes *out, struct err *e);
bool document_replace(struct command *c, struct head *h, struct changes *out, struct err *e);
/* What a request for an earlier version says. */
struct document_rollback {
    int64_t version;
    const char *reason;
};
extern const struct field DOCUMENT_ROLLBACK_FIELDS[]; /* {"version","reason"} */
/* Make the one that c->id names what it was: `past` is its text then. */
struct document_past {
    const struct document_type *type;
    const char *text;
    size_t len;
    const char *action; /* of the journal */
};
bool document_restore(struct command *c, struct head *h, struct changes *out,
                      const struct document_past *past, struct err *e);
bool document_delete(struct command *c, struct head *h, struct changes *out, struct err *e);

/* --- for decide functions of a kind's own --- */

/* The one that c->id names, with If-Match checked; NULL and `e`. */
const struct document *addressed_document(const struct document_type *t, const struct command *c,
                                          const struct head *h, struct err *e);
/* Put `fields` (the kind's struct; namespace, times and revision are set here, and the id when it
 * has none) as the next revision of `before`, or as a new document. Returns what was put, NULL and
 * `e` when it is too long. `fields` may be a copy of before->fields with some members changed. */
const struct entity *document_put(struct document_write *w, const char *action,
                                  const char *evidence, struct err *e);
/* The same under another id, which `want` has and nothing else is stored under: two entries, the
 * old one goes and the new one comes, one incarnation. */
const struct entity *document_move(struct document_write *w, const char *action, struct err *e);

/* For remove(): how many documents of a kind in the namespace use what is to be deleted; counting
 * ends at 100. `*members`: `"in_use":[ids]`, a member for the problem, in the arena. */
size_t document_users(const struct document_write *w, enum entity_kind kind,
                      bool (*uses)(const struct document *d, const char *what), const char *what,
                      const char **members);

#endif
