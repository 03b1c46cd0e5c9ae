/* entity: what every stored object has in common. Room: registry. Threads: immutable once applied,
 * [any].
 *
 * An entity is one heap block: its typed fields, its strings, and `json`, its canonical text, which
 * is at once the API's representation, the store's value and the journal's before/after. A change
 * makes a new entity; the old one is retired when no view holds it. */
#ifndef PADDOCK_REGISTRY_ENTITY_H
#define PADDOCK_REGISTRY_ENTITY_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum entity_kind {
    ENTITY_MODEL,            /* "model" */
    ENTITY_REGISTERED_MODEL, /* "registered_model" */
    ENTITY_HEALTH,           /* "health": the last judged status of a model, so that its changes are
                                journalled */
    /* documents, see document.h */
    ENTITY_DATASET,        /* "dataset" */
    ENTITY_TEST_CASE,      /* "test_case" */
    ENTITY_TOKEN,          /* "token" */
    ENTITY_DENIAL,         /* "denial" */
    ENTITY_ALERT,          /* "alert" */
    ENTITY_WEBHOOK,        /* "webhook" */
    ENTITY_FLAG,           /* "flag" */
    ENTITY_SEGMENT,        /* "segment" */
    ENTITY_POLICY,         /* "policy": which stored version serves */
    ENTITY_LAYER,          /* "layer" */
    ENTITY_POLICY_VERSION, /* "policy_version": one text */
    ENTITY_ROUTE,          /* "route" */
    ENTITY_EXPERIMENT,     /* "experiment" */
    /* kept by validation */
    ENTITY_VALIDATION, /* "validation": what a model's runs say of it */
    ENTITY_REGRESSION, /* "regression": the newest that was found */
    ENTITY_BASELINE,   /* "baseline": a pinned run */
    ENTITY_NIGHTLY,    /* "nightly": a night */
    ENTITY_KIND_COUNT
};

struct entity {
    enum entity_kind kind;
    const char *ns; /* namespace, interned */
    const char *id; /* unique within kind and namespace */
    int64_t revision;
    uint64_t
        uid; /* incarnation: never reused, so an id registered again starts with empty history */
    const char *json; /* NUL-terminated canonical text, with revision */
    size_t json_len;
    const char *hidden; /* text of what only the server knows, stored with json but never shown or
                           journalled; NULL: there is none */
};

struct intern;

struct entity_type {
    const char *name; /* "model": the journal's `entity` and the store's kind */
    /* Build the typed entity from its stored text; NULL: it is a document. */
    struct entity *(*parse)(const char *ns, const char *id, uint64_t uid, const char *json,
                            size_t len, struct intern *names, struct err *e);
};

/* An entity as it is stored: `value` is its text and, after a line feed, what is hidden, if
 * anything is. */
struct entity_source {
    const char *ns, *id;
    uint64_t uid;
    const char *value;
    size_t len;
};

/* Build the typed entity of what is stored. NULL and `e` when it is damaged. */
struct entity *entity_parse(enum entity_kind kind, const struct entity_source *from,
                            struct intern *names, struct err *e);

extern const struct entity_type ENTITY_TYPES[ENTITY_KIND_COUNT];

/* Kind of a stored name, or -1. */
int entity_kind_of(const char *name);
void entity_free(void *entity);

/* Strings that many entities share (namespaces, sports, targets): one copy each, kept until the
 * table is freed. [engine]; what it gave out may be read by [any]. */
struct intern *intern_new(void) __attribute__((returns_nonnull));
void intern_free(struct intern *t);
const char *intern(struct intern *t, const char *text); /* NULL gives NULL */
/* The number of a text that intern() gave out, from 1; 0 for NULL. Same text, same number. [any] */
uint32_t intern_id(const char *shared);

#endif
