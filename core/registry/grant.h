/* grant: what somebody may do, where, and to which names. Room: registry. Threads: pure, [any].
 *
 * A grant gives actions in the namespaces that a pattern matches, for the names that one of its
 * patterns matches. A name is the registered model's to which an object belongs; an object that
 * belongs to none counts by its own id. Grants only ever add: nothing takes away what another gave.
 * `admin` includes every action. */
#ifndef PADDOCK_REGISTRY_GRANT_H
#define PADDOCK_REGISTRY_GRANT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/fault.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum grant_action {
    ACTION_READ,
    ACTION_RECORD,
    ACTION_SELECT,
    ACTION_MODEL_WRITE,
    ACTION_PROMOTE_CANARY,
    ACTION_PROMOTE_STABLE,
    ACTION_ROLLBACK,
    ACTION_VALIDATION_WRITE,
    ACTION_VALIDATION_RUN,
    ACTION_POLICY_WRITE,
    ACTION_FLAG_WRITE,
    ACTION_ROUTE_WRITE,
    ACTION_EXPERIMENT_WRITE,
    ACTION_WEBHOOK_WRITE,
    ACTION_ADMIN,
    ACTION_COUNT
};
#define ACTION_BIT(action) (UINT32_C(1) << (action))
#define ACTIONS_ALL        (ACTION_BIT(ACTION_COUNT) - 1)

/* Their names in order, NULL-terminated: "read", "record", ... */
extern const char *const GRANT_ACTIONS[];
/* The bits of one name, or of several parted by '|'; 0 if one of them is none. */
uint32_t grant_actions(const char *names);

/* Bundles of actions, in growing order; ends with a row without a name. */
struct grant_role {
    const char *name;
    uint32_t actions;
    const char *doc; /* whom it is for */
};
extern const struct grant_role GRANT_ROLES[];
extern const char *const GRANT_ROLE_NAMES[]; /* NULL-terminated */

/* `*` stands for any run of characters, `?` for one (of UTF-8); everything else for
 * itself. At most the product of both lengths in steps, whatever the pattern. */
bool glob_match(const char *pattern, const char *text);

/* --- compiled grants: one block without pointers, so that memcpy() copies it --- */

struct grant {
    uint32_t actions;
    uint32_t ns;             /* offset of the namespace's pattern */
    uint32_t names, n_names; /* offset of the patterns of names, one after the other; 0: all */
};
struct grants {
    uint32_t size; /* bytes of the whole block */
    uint32_t n;
    struct grant list[];
};

#define GRANTS_MAX         64 /* of one token */
#define GRANT_PATTERNS_MAX 64 /* of names in one grant */

/* Compile a role (NULL: none) and the JSON text of an array of grants as api.md has it (NULL: []).
 * The role's actions are added to each grant; without grants the role holds in every namespace and
 * for every name. Returns the size; fills `out` (aligned for struct grants) unless it is NULL. What
 * is damaged gives nothing. */
size_t grants_compile(const char *role, const char *json, void *out);
/* Add a fault below `pointer` for whatever is no array of grants. */
void grants_check(const json_t *value, const char *pointer, struct faults *f);

/* A copy of the block; NULL gives NULL. */
const struct grants *grants_copy(struct arena *a, const struct grants *g);

/* --- questions; `g` NULL: everything is allowed --- */

/* Is one of the actions granted on this name? With `name` NULL: on every name of the namespace. */
bool grants_allow(const struct grants *g, const char *ns, const char *name, uint32_t actions);
/* Is one of the actions granted on at least some name of the namespace? */
bool grants_touch(const struct grants *g, const char *ns, uint32_t actions);
/* ... in at least some namespace? */
bool grants_anywhere(const struct grants *g, uint32_t actions);
/* ... in all namespaces, for all names? */
bool grants_everywhere(const struct grants *g, uint32_t actions);
/* May somebody with `g` give away `given`? Only what he may do himself wherever `given` reaches,
 * for all names: a namespace of `given` that is a pattern must stand in `g` as it is, or `*` must.
 */
bool grants_cover(const struct grants *g, const struct grants *given);

/* --- refusing --- */

extern const struct err_kind FORBIDDEN; /* 403, members: "missing":{"namespace","name","action"} */

/* Fail with what is missing; `name` NULL: for the namespace; `ns` NULL: for the server. False. */
bool forbidden(struct arena *a, const char *ns, const char *name, uint32_t actions, struct err *e);

#endif
