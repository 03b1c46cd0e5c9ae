/* flag: a question with a few answers (variants), and who gets which. Room: registry.
 * Threads: immutable, [any].
 *
 * The policy that decides is not run here: what it demands of `params`, and the ranges of units
 * that follow from them, come through `struct rollout_policies`. */
#ifndef PADDOCK_REGISTRY_FLAG_H
#define PADDOCK_REGISTRY_FLAG_H

#include "base/bucket.h"
#include "registry/documents.h"

#include <jansson.h>

struct flag {
    struct document_head head; /* id is the key */
    const char *description;
    bool enabled, killed;
    const char *variants;         /* JSON object, name to value, 1..ARMS_MAX */
    const char *default_variant;  /* of those who get nothing else */
    const char *fallback_variant; /* when killed; NULL: the default */
    const char *policy;           /* name of a rollout policy; NULL: the default for everybody */
    int64_t policy_version;       /* the stored version it keeps to; INT64_MIN: whatever serves */
    const char *params;           /* JSON object, as the policy declares them */
    const char *salt;             /* of the units' places; NULL: the key, see flag_salt() */
    int64_t hash_version;
    const char *allocation;    /* JSON array of {"from","to","variant"}, of BUCKETS; computed */
    const char *layer;         /* whose ranges say who may get something; NULL: none */
    const char *prerequisites; /* JSON array of {"flag","variants"} */
    const char *owner;
    int64_t expires_at; /* 0: never */
    const char *labels;
    int64_t last_evaluated_at; /* always 0 in the document; the API knows */
};

extern const struct field FLAG_FIELDS[];

static inline const struct flag *flag_of(const struct document *d)
{
    return d->fields;
}

static inline const char *flag_salt(const struct flag *f)
{
    return f->salt ? f->salt : f->head.id;
}

/* A flag's wish to be allocated: what its policy must say yes to. */
struct flag_plan {
    const char *policy;
    const char *declares; /* JSON array of its parameters */
    const json_t *params; /* object */
    const char *const *variants;
    size_t variant_count;
    const struct share *shares; /* the allocation until now; arms index `variants`, those of a
                                   variant that is gone are ARMS_MAX */
    size_t share_count;
};

/* What decisions need to know of rollout policies; no policy is run. */
struct rollout_policies {
    /* What the file of a name declares, JSON in the arena; NULL and a fault at /policy. */
    const char *(*file_declares)(void *self, const char *policy, struct arena *a, struct faults *f);
    /* Check the plan (faults below /params) and compute the new ranges into `out`, room for
     * SHARES_MAX. Returns their number, or -1 when there were faults. */
    int (*plan)(void *self, const struct flag_plan *plan, struct share *out, struct faults *f);
    void *self;
};

/* Does everybody get one variant, whatever the context says? */
bool flag_is_constant(const struct flag *f);
#define FLAG_STALE_MS (30 * 86400000LL)
/* Not asked for FLAG_STALE_MS, or constant for as long? `last_ms`: when it was last asked, 0:
 * never. */
bool flag_is_stale(const struct flag *f, int64_t last_ms, int64_t now_ms);

/* POST ~/flags/{key}/rollback: c->args is a `struct flag_former`, the text of the version. The
 * units fall where they fell then, where the salt is the same. */
struct flag_former {
    const char *text;
    size_t len;
};
bool flag_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e);

/* Would the flag's parameters suit a policy that declares this? Faults below /params. */
bool flag_fits(const struct flag *f, const char *declares, const struct rules *rules,
               struct faults *faults) MUST_CHECK;

/* The names of the object `variants`, in order, NULL-terminated; borrowed from it. Returns how
 * many, at most ARMS_MAX. */
size_t flag_variant_names(const json_t *variants, const char *names[ARMS_MAX + 1]);
/* Read an allocation's text, arms by name; returns the number of ranges, at most SHARES_MAX. */
size_t flag_shares(const char *allocation, const char *const *names, size_t n, struct share *out);

#endif
