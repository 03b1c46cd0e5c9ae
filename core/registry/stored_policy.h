/* stored_policy: Lua policies that were given over the API, with their versions. Room: registry.
 * Threads: immutable, [any].
 *
 * Two kinds of document: `policy` says which version of a name serves in its namespace (none: the
 * file does), `policy_version` holds one text. A number once given never means another text; the
 * last POLICY_VERSIONS_MAX are kept, and those that a flag pins or that serve.
 *
 * No Lua runs here: whoever asks has compiled the text and says what it declares. */
#ifndef PADDOCK_REGISTRY_STORED_POLICY_H
#define PADDOCK_REGISTRY_STORED_POLICY_H

#include "registry/documents.h"

#define POLICY_VERSIONS_MAX 50

struct stored_policy {
    struct document_head head; /* id is "kind:name" */
    const char *kind, *name;
    int64_t version;      /* that serves; 0: none, the file of the name does */
    int64_t last_version; /* highest number given */
};

struct policy_version {
    struct document_head head; /* id is "kind:name:version" */
    const char *kind, *name;
    int64_t version;
    const char *source, *sha256, *summary;
    const char *params;     /* JSON array, what it declares */
    const char *created_by; /* JSON {"kind","id"} */
    const char *reason;     /* or NULL */
};

extern const struct field STORED_POLICY_FIELDS[], POLICY_VERSION_FIELDS[];

static inline const struct stored_policy *stored_policy_of(const struct document *d)
{
    return d->fields;
}

static inline const struct policy_version *policy_version_of(const struct document *d)
{
    return d->fields;
}

/* The policy of a name as it is stored in `ns`, or NULL; it may be uncovered (version 0). */
const struct stored_policy *view_stored_policy(const struct view *v, const char *ns,
                                               const char *kind, const char *name);
/* A version of it, or NULL. */
const struct policy_version *view_policy_version(const struct view *v, const char *ns,
                                                 const char *kind, const char *name,
                                                 int64_t version);
/* Each version of a name, oldest first, until `fn` returns false. */
void view_policy_versions(const struct view *v, const char *ns, const char *kind, const char *name,
                          bool (*fn)(const struct policy_version *version, void *ctx), void *ctx);

/* --- decide functions; c->id is "kind:name" --- */

/* PUT: args is what was compiled. The same text as the one that serves changes nothing. */
struct policy_draft_text {
    const char *kind, *name, *source, *sha256, *summary, *params;
};
bool policy_install(struct command *c, struct head *h, struct changes *out, struct err *e);
/* POST rollback and DELETE: args is a `struct policy_named`. */
struct policy_named {
    const char *kind, *name;
};
bool policy_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e);
bool policy_uncover(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
