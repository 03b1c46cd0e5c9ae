/* policy_impl: the inside of a loaded policy. Room: extend, private. */
#ifndef PADDOCK_EXTEND_POLICY_IMPL_H
#define PADDOCK_EXTEND_POLICY_IMPL_H

#include "extend/lua_sandbox.h"
#include "extend/policy.h"

#include <lua.h>

struct policy_flag {
    struct policy_flag *next;
    char *key, *salt;
    char **variants;
    size_t *variant_lens;
    const char **variant_texts; /* as the state holds them: it has each short text once */
    size_t variant_count, default_variant;
    json_t *params;
    struct share *shares;
    size_t share_count;
    double *arm_shares; /* what part of the shares is each variant's, 0..1 */
    int ref;            /* of its table in the present state; LUA_NOREF: not made yet */
    size_t granted;     /* bytes of that table, which do not count against the policy */
};

/* A field of the context as it stands in the state's table, so that the same again costs nothing.
 * Values that do not fit (long texts, objects) are of type LUA_TNONE and set each time. */
struct context_slot {
    char *key; /* jansson refuses keys with a NUL */
    int type;
    union {
        lua_Integer integer;
        lua_Number number;
        bool boolean;
    } as;
    bool is_integer;
    size_t len;
    char text[48];
};

struct policy {
    enum policy_kind kind;
    char *name, *chunk, *source;
    size_t source_len;
    struct sandbox *sandbox;
    char *summary;
    json_t *params;
    int function, decide; /* references in the state */
    int env_data, env_proxy;
    int context_keys, context_data, context_proxy;
    const char *reason_texts[POLICY_REASON_COUNT]; /* as the state holds them */
    struct context_slot *slots;
    size_t slot_count;
    uint64_t context_id; /* of what the table holds; 0: not known */
    int64_t env_now;     /* what env.now holds */
    struct policy_flag *flags;
    /* of the call under way */
    const struct policy_env *env;
    const json_t *context;
    struct policy_flag *flag;
    bool unit_missing;
    bool drew; /* the unit's place was looked at */
};

/* Run under the limits, in a fresh state if the last one is spoilt. */
bool policy_run(struct policy *p, lua_CFunction body, void *arg, struct err *e) MUST_CHECK;
/* The state is good, or made anew. */
bool policy_ready(struct policy *p, struct err *e) MUST_CHECK;

/* The place of the variant of this name; variant_count: there is none. */
size_t policy_flag_variant(const struct policy_flag *f, const char *name, size_t len);

/* lua_env.c: push the table of helpers that becomes `env` (its data, not protected). */
void policy_open_env(lua_State *L);

/* policy_decide.c: make the body of a decision; the tables that it works on are its upvalues. */
void policy_open_decide(lua_State *L, struct policy *p);
/* Push `env`, with the call's time in it. */
void policy_push_env(lua_State *L, struct policy *p);

/* policy_context.c: bring the state's context table to `context`; forget what is in it. `keys` and
 * `data` are where on the stack (or among the upvalues) its tables are. */
void policy_context_fill(lua_State *L, struct policy *p, int keys, int data);
void policy_context_forget(struct policy *p);

/* policy_params.c: read the member `params` of the table at `index`; raises an error. */
void policy_params_read(lua_State *L, int index, struct policy *p);

#endif
