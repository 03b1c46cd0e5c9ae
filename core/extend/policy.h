/* policy: one loaded Lua policy: compiled, its parameters known, ready to be asked.
 * Room: extend. Threads: one at a time; each loop and each reader has its own (policy_set.h).
 *
 * The contract for authors is scripts/lua/README.md. A policy answers a question and nothing else:
 * it sees what it is given and has no way to change it. A call that fails says so in `e` and leaves
 * the policy usable; one that hit a limit costs a new state at the next call. */
#ifndef PADDOCK_EXTEND_POLICY_H
#define PADDOCK_EXTEND_POLICY_H

#include "base/bucket.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fault.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum policy_kind { POLICY_ROLLOUT, POLICY_SEVERITY, POLICY_KIND_COUNT };

const char *policy_kind_name(enum policy_kind kind); /* "rollout", "severity" */
bool policy_kind_parse(const char *text, enum policy_kind *kind) MUST_CHECK;

struct policy;

#define POLICY_NAME_MAX 64 /* [a-z0-9_-], for it names a file */
bool policy_name_valid(const char *name) MUST_CHECK;

/* Compile `source` and read what it returns. NULL and ERR_POLICY with file and line. */
struct policy *policy_load(enum policy_kind kind, const char *name, const char *source, size_t len,
                           struct err *e) MUST_CHECK;
void policy_free(struct policy *p); /* NULL is allowed */

enum policy_kind policy_kind(const struct policy *p);
const char *policy_name(const struct policy *p);    /* as it was loaded */
const char *policy_summary(const struct policy *p); /* never NULL */
size_t policy_memory(const struct policy *p);       /* of its state now, bytes */
size_t policy_memory_peak(const struct policy *p);
bool policy_reads_time(const struct policy *p); /* its text names `now` */
int64_t policy_steps(const struct policy *p);   /* of the last call */

/* ---- parameters ---- */

/* `[{"name","type","required","default","min","max","values","doc"},...]`, borrowed. */
const json_t *policy_params(const struct policy *p);
/* Check `given` (an object, or NULL for none) against the declared parameters; faults go below
 * `pointer`. Returns a new reference with the defaults filled in, or NULL when there were faults.
 */
json_t *policy_params_fill(const struct policy *p, const json_t *given, const char *pointer,
                           struct faults *f) MUST_CHECK;
/* What a policy declares, which is all that is needed to check parameters: no Lua runs. */
struct policy_declaration {
    const char *name;
    const json_t *params; /* as policy_params() */
};
struct policy_declaration policy_declaration(const struct policy *p); /* borrowed from it */
json_t *policy_params_check(const struct policy_declaration *d, const json_t *given,
                            const char *pointer, struct faults *f) MUST_CHECK;
/* The name of the parameter of type `weights` (percentages of variants), or NULL. A flag's
 * allocation is computed from it. */
const char *policy_weights_param(const struct policy_declaration *d);

/* ---- rollout ---- */

/* What a rollout policy may know of a flag. Everything is copied. */
struct flag_facts {
    const char *key;
    const char *salt; /* no NUL, at most SALT_MAX */
    const char *const *variants;
    size_t variant_count; /* 1..ARMS_MAX */
    size_t default_variant;
    const json_t *params;       /* as policy_params_fill() gave them; NULL is {} */
    const struct share *shares; /* allocation, for env.split(); arms index `variants` */
    size_t share_count;
};
struct policy_flag;
/* Make a flag known to a policy; it lives as long as the policy or until it is dropped. */
struct policy_flag *policy_flag_add(struct policy *p, const struct flag_facts *facts)
    __attribute__((returns_nonnull));
void policy_flag_drop(struct policy *p, struct policy_flag *flag);

/* What the helpers of `env` see in one call. */
struct policy_env {
    int64_t now_ms;
    bool (*in_segment)(void *ctx, const char *segment, const char *unit, size_t unit_len);
    void *segments;      /* ctx of in_segment; NULL function: no unit is in any */
    uint64_t context_id; /* two calls of a policy in a row with the same one have the same context,
                            which is then not looked at again; 0: none */
    struct bytes *trace; /* explain: gets `{"call","args","result","line"},...`; NULL: not asked */
};

#define CONTEXT_FIELDS_MAX 256
#define POLICY_REASON_MAX  128

enum policy_reason { /* what the second result says; texts of their own are DEFAULT_REASON */
                     REASON_MATCH,
                     REASON_SPLIT,
                     REASON_DEFAULT,
                     REASON_STATIC,
                     POLICY_REASON_COUNT
};
const char *policy_reason_name(enum policy_reason reason); /* "TARGETING_MATCH", ... */

struct policy_decision {
    size_t variant; /* index in the flag's variants */
    enum policy_reason reason;
    double share;      /* of the units in this context that get it, 0..1; NAN: the policy drew and
                          does not say */
    bool unit_missing; /* failed because a helper needs a unit and the context has none */
    char note[POLICY_REASON_MAX]; /* the second result where it is none of the names; else "" */
};

/* Ask for the variant of `context` (a JSON object). False: `e` says why, and `unit_missing` whether
 * it was that. */
bool policy_decide(struct policy *p, struct policy_flag *flag, const json_t *context,
                   const struct policy_env *env, struct policy_decision *out, struct err *e)
    MUST_CHECK;

#endif
