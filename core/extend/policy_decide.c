/* Asking a rollout policy. The tables are the state's own and are filled anew only where they
 * differ from the last call; see policy_context.c. */
#include "base/utf8.h"
#include "extend/lua_guard.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SHARE_SLACK 1e-9 /* sums of shares are not exact */

static const char *const REASONS[] = {
    [REASON_MATCH] = "TARGETING_MATCH",
    [REASON_SPLIT] = "SPLIT",
    [REASON_DEFAULT] = "DEFAULT",
    [REASON_STATIC] = "STATIC",
};

/* The upvalues of decide_body(). */
enum { UP_FUNCTION = 1, UP_KEYS, UP_DATA, UP_CONTEXT, UP_ENV, UP_REASONS };

const char *policy_reason_name(enum policy_reason reason)
{
    return REASONS[reason];
}

/* The flag as the policy sees it, made once in a state. */
static void push_flag(lua_State *L, const struct policy *p, struct policy_flag *f)
{
    if (f->ref != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, f->ref);
        return;
    }
    struct sandbox *sandbox = p->sandbox;
    size_t before = sandbox_memory(sandbox);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, f->key);
    lua_setfield(L, -2, "key");
    lua_pushlstring(L, f->variants[f->default_variant], f->variant_lens[f->default_variant]);
    lua_setfield(L, -2, "default_variant");
    lua_createtable(L, (int)f->variant_count, 0);
    for (size_t i = 0; i < f->variant_count; i++) {
        f->variant_texts[i] = lua_pushlstring(L, f->variants[i], f->variant_lens[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    guard_protect(L);
    lua_setfield(L, -2, "variants");
    lua_value_push(L, f->params);
    lua_setfield(L, -2, "params");
    guard_protect(L);
    lua_pushvalue(L, -1);
    f->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    if (sandbox_memory(sandbox) > before) { /* else a collection came between */
        f->granted = sandbox_memory(sandbox) - before;
        sandbox_grant(sandbox, (int64_t)f->granted);
    }
}

static void set_time(lua_State *L, struct policy *p)
{
    if (p->env_now == p->env->now_ms)
        return;
    p->env_now = INT64_MIN; /* should the next lines fail */
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->env_data);
    lua_pushinteger(L, p->env->now_ms);
    lua_setfield(L, -2, "now");
    lua_pop(L, 1);
    p->env_now = p->env->now_ms;
}

void policy_push_env(lua_State *L, struct policy *p)
{
    set_time(L, p);
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->env_proxy);
}

/* The three results of a policy are on top. */
static void read_variant(lua_State *L, const struct policy_flag *f, struct policy_decision *out)
{
    size_t len;
    int type = lua_type(L, -3);
    if (type == LUA_TNIL) { /* nothing to say: the default */
        out->variant = f->default_variant;
        out->reason = REASON_DEFAULT;
        return;
    }
    if (type != LUA_TSTRING)
        luaL_error(L, "decide must return the name of a variant, got a %s", lua_typename(L, type));
    const char *name = lua_tolstring(L, -3, &len);
    size_t variant = policy_flag_variant(f, name, len);
    if (variant == f->variant_count)
        luaL_error(L, "decide returned '%s', which is no variant of the flag", name);
    out->variant = variant;
}

static void read_reason(lua_State *L, const struct policy *p, struct policy_decision *out)
{
    size_t len;
    int type = lua_type(L, -2);
    if (type == LUA_TNIL)
        return;
    if (type != LUA_TSTRING)
        luaL_error(L, "the reason must be a text, got a %s", lua_typename(L, type));
    const char *text = lua_tolstring(L, -2, &len);
    for (size_t i = 0; i < POLICY_REASON_COUNT; i++)
        if (text == p->reason_texts[i]) {
            out->reason = (enum policy_reason)i;
            return;
        }
    if (!utf8_valid(text, len) || memchr(text, '\0', len))
        luaL_error(L, "the reason is no UTF-8 text");
    len = utf8_cut(text, len, sizeof out->note - 1);
    memcpy(out->note, text, len);
    out->note[len] = '\0';
}

/* Without a draw everybody in this context gets the same. */
static void read_share(lua_State *L, const struct policy *p, struct policy_decision *out)
{
    int type = lua_type(L, -1);
    if (type == LUA_TNIL) {
        out->share = p->drew ? NAN : 1;
        return;
    }
    const double share = type == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    if (!(share >= 0 && share <= 1 + SHARE_SLACK))
        luaL_error(L, "the share must be a number from 0 to 1");
    out->share = share > 1 ? 1 : share;
}

struct decide_call {
    struct policy *policy;
    struct policy_decision *out;
};

static int decide_body(lua_State *L)
{
    const struct decide_call *c = lua_touserdata(L, 1);
    struct policy *p = c->policy;
    if (!p->env->context_id || p->env->context_id != p->context_id)
        policy_context_fill(L, p, lua_upvalueindex(UP_KEYS), lua_upvalueindex(UP_DATA));
    set_time(L, p);
    lua_pushvalue(L, lua_upvalueindex(UP_FUNCTION));
    push_flag(L, p, p->flag);
    lua_pushvalue(L, lua_upvalueindex(UP_CONTEXT));
    lua_pushvalue(L, lua_upvalueindex(UP_ENV));
    lua_call(L, 3, 3);
    read_share(L, p, c->out);
    read_variant(L, p->flag, c->out);
    read_reason(L, p, c->out);
    return 0;
}

void policy_open_decide(lua_State *L, struct policy *p)
{
    const int tables[] = {p->function, p->context_keys, p->context_data, p->context_proxy,
                          p->env_proxy};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        lua_rawgeti(L, LUA_REGISTRYINDEX, tables[i]);
    lua_createtable(L, POLICY_REASON_COUNT, 0); /* keeps the texts where they are */
    for (size_t i = 0; i < POLICY_REASON_COUNT; i++) {
        p->reason_texts[i] = lua_pushstring(L, REASONS[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushcclosure(L, decide_body, UP_REASONS);
    p->decide = luaL_ref(L, LUA_REGISTRYINDEX);
}

bool policy_decide(struct policy *p, struct policy_flag *flag, const json_t *context,
                   const struct policy_env *env, struct policy_decision *out, struct err *e)
{
    struct decide_call call = {p, out};
    out->variant = flag->default_variant;
    out->reason = REASON_MATCH;
    out->note[0] = '\0';
    out->share = 1;
    p->env = env;
    p->context = context;
    p->flag = flag;
    p->unit_missing = p->drew = false;
    bool good = policy_ready(p, e) && sandbox_call(p->sandbox, p->decide, &call, e);
    out->unit_missing = !good && p->unit_missing;
    p->env = NULL;
    p->context = NULL;
    p->flag = NULL;
    return good;
}
