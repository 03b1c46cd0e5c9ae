#include "extend/policy.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "extend/lua_guard.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY_MAX 512

static const char *const KIND_NAMES[POLICY_KIND_COUNT] = {
    [POLICY_ROLLOUT] = "rollout",
    [POLICY_SEVERITY] = "severity",
};
static const char *const FUNCTION_NAMES[POLICY_KIND_COUNT] = {
    [POLICY_ROLLOUT] = "decide",
    [POLICY_SEVERITY] = "grade",
};

const char *policy_kind_name(enum policy_kind kind)
{
    return KIND_NAMES[kind];
}

bool policy_kind_parse(const char *text, enum policy_kind *kind)
{
    for (int i = 0; i < POLICY_KIND_COUNT; i++)
        if (strcmp(KIND_NAMES[i], text) == 0) {
            *kind = (enum policy_kind)i;
            return true;
        }
    return false;
}

bool policy_name_valid(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return len >= 1 && len <= POLICY_NAME_MAX && name[len] == '\0';
}

/* ---- loading ---- */

/* Members of the returned table: what is not known is a typo that would else pass in silence. */
static void check_members(lua_State *L, int table, const char *function)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(not a name)";
        if (strcmp(key, "summary") != 0 && strcmp(key, "params") != 0 && strcmp(key, function) != 0)
            luaL_error(L,
                       "the policy's table has an unknown member '%s'; it may have summary, "
                       "params and %s",
                       key, function);
    }
}

static void read_summary(lua_State *L, int table, struct policy *p)
{
    size_t len;
    if (lua_getfield(L, table, "summary") != LUA_TSTRING)
        luaL_error(L, "the policy's table needs a summary, one sentence");
    const char *summary = lua_tolstring(L, -1, &len);
    if (len == 0 || len > SUMMARY_MAX || !utf8_valid(summary, len) || strlen(summary) != len)
        luaL_error(L, "summary must be a text of 1 to %d bytes", SUMMARY_MAX);
    free(p->summary);
    p->summary = mem_copy(summary, len);
    lua_pop(L, 1);
}

static void make_tables(lua_State *L, struct policy *p)
{
    policy_open_env(L);
    lua_pushvalue(L, -1);
    p->env_data = luaL_ref(L, LUA_REGISTRYINDEX);
    guard_protect(L);
    p->env_proxy = luaL_ref(L, LUA_REGISTRYINDEX);
    p->env_now = INT64_MIN;
    lua_newtable(L);
    p->context_keys = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    p->context_data = luaL_ref(L, LUA_REGISTRYINDEX);
    guard_protect(L);
    p->context_proxy = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int load_body(lua_State *L)
{
    struct policy *p = lua_touserdata(L, 1);
    const char *function = FUNCTION_NAMES[p->kind];
    sandbox_compile(L, p->source, p->source_len, p->chunk);
    if (!guard_writes(L))
        guard_trust(L);
    make_tables(L, p);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) != LUA_TTABLE || guard_unwrap(L, -1))
        luaL_error(L, "%s: must return a table with summary, params and %s", p->chunk + 1,
                   function);
    int table = lua_gettop(L);
    check_members(L, table, function);
    read_summary(L, table, p);
    json_array_clear(p->params);
    policy_params_read(L, table, p);
    if (lua_getfield(L, table, function) != LUA_TFUNCTION)
        luaL_error(L, "%s: the policy's table needs a function '%s'", p->chunk + 1, function);
    p->function = luaL_ref(L, LUA_REGISTRYINDEX);
    if (p->kind == POLICY_ROLLOUT)
        policy_open_decide(L, p);
    return 0;
}

/* A fresh state with the policy in it. */
static bool fill_state(struct policy *p, struct err *e)
{
    policy_context_forget(p);
    for (struct policy_flag *f = p->flags; f; f = f->next)
        f->ref = LUA_NOREF, f->granted = 0;
    sandbox_free(p->sandbox);
    p->sandbox = sandbox_new(&SANDBOX_LIMITS, e);
    if (!p->sandbox)
        return false;
    sandbox_set_owner(p->sandbox, p);
    return sandbox_run(p->sandbox, load_body, p, e);
}

struct policy *policy_load(enum policy_kind kind, const char *name, const char *source, size_t len,
                           struct err *e)
{
    if (len > SANDBOX_SOURCE_MAX) {
        fail(e, &ERR_POLICY, "%s/%s.lua: the source has more than %zu bytes", KIND_NAMES[kind],
             name, SANDBOX_SOURCE_MAX);
        return NULL;
    }
    char chunk[POLICY_NAME_MAX + 32];
    snprintf(chunk, sizeof chunk, "@%s/%.*s.lua", KIND_NAMES[kind], POLICY_NAME_MAX, name);
    struct policy *p = mem_zero(1, sizeof *p);
    p->kind = kind;
    p->name = mem_text(name);
    p->chunk = mem_text(chunk);
    p->source = mem_copy(source, len);
    p->source_len = len;
    p->params = json_array();
    p->slots = mem_zero(CONTEXT_FIELDS_MAX, sizeof *p->slots);
    if (!fill_state(p, e)) {
        policy_free(p);
        return NULL;
    }
    return p;
}

static void free_flag(struct policy_flag *f)
{
    for (size_t i = 0; i < f->variant_count; i++)
        free(f->variants[i]);
    free(f->variants);
    free(f->variant_lens);
    free(f->variant_texts);
    free(f->key);
    free(f->salt);
    free(f->shares);
    free(f->arm_shares);
    json_decref(f->params);
    free(f);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    while (p->flags) {
        struct policy_flag *f = p->flags;
        p->flags = f->next;
        free_flag(f);
    }
    policy_context_forget(p);
    sandbox_free(p->sandbox);
    free(p->slots);
    free(p->name);
    free(p->chunk);
    free(p->source);
    free(p->summary);
    json_decref(p->params);
    free(p);
}

bool policy_ready(struct policy *p, struct err *e)
{
    return (p->sandbox && !sandbox_spoilt(p->sandbox)) || fill_state(p, e);
}

bool policy_run(struct policy *p, lua_CFunction body, void *arg, struct err *e)
{
    return policy_ready(p, e) && sandbox_run(p->sandbox, body, arg, e);
}

/* ---- what is known of it ---- */

enum policy_kind policy_kind(const struct policy *p)
{
    return p->kind;
}

const char *policy_name(const struct policy *p)
{
    return p->name;
}

const char *policy_summary(const struct policy *p)
{
    return p->summary ? p->summary : "";
}

size_t policy_memory(const struct policy *p)
{
    return p->sandbox ? sandbox_memory(p->sandbox) : 0;
}

size_t policy_memory_peak(const struct policy *p)
{
    return p->sandbox ? sandbox_memory_peak(p->sandbox) : 0;
}

bool policy_reads_time(const struct policy *p)
{
    return memmem(p->source, p->source_len, "now", 3) != NULL;
}

int64_t policy_steps(const struct policy *p)
{
    return p->sandbox ? sandbox_steps(p->sandbox) : 0;
}

/* ---- flags ---- */

struct policy_flag *policy_flag_add(struct policy *p, const struct flag_facts *facts)
{
    struct policy_flag *f = mem_zero(1, sizeof *f);
    f->key = mem_text(facts->key);
    f->salt = mem_text(facts->salt);
    f->variant_count = facts->variant_count;
    f->variants = mem_zero(facts->variant_count, sizeof *f->variants);
    f->variant_lens = mem_zero(facts->variant_count, sizeof *f->variant_lens);
    f->variant_texts = mem_zero(facts->variant_count, sizeof *f->variant_texts);
    for (size_t i = 0; i < facts->variant_count; i++) {
        f->variants[i] = mem_text(facts->variants[i]);
        f->variant_lens[i] = strlen(facts->variants[i]);
    }
    f->default_variant = facts->default_variant;
    f->params = facts->params ? json_deep_copy(facts->params) : json_object();
    f->share_count = facts->share_count;
    f->shares = mem_zero(facts->share_count ? facts->share_count : 1, sizeof *f->shares);
    if (facts->share_count)
        memcpy(f->shares, facts->shares, facts->share_count * sizeof *f->shares);
    f->arm_shares = mem_zero(facts->variant_count, sizeof *f->arm_shares);
    for (size_t i = 0; i < facts->variant_count; i++)
        f->arm_shares[i] = share_of_arm(f->shares, f->share_count, (uint32_t)i);
    f->ref = LUA_NOREF;
    f->next = p->flags;
    p->flags = f;
    return f;
}

size_t policy_flag_variant(const struct policy_flag *f, const char *name, size_t len)
{
    for (size_t i = 0; i < f->variant_count; i++)
        if (name == f->variant_texts[i] ||
            (f->variant_lens[i] == len && memcmp(f->variants[i], name, len) == 0))
            return i;
    return f->variant_count;
}

void policy_flag_drop(struct policy *p, struct policy_flag *flag)
{
    struct policy_flag **at = &p->flags;
    while (*at && *at != flag)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = flag->next;
    if (p->sandbox && flag->ref != LUA_NOREF) {
        luaL_unref(sandbox_state(p->sandbox), LUA_REGISTRYINDEX, flag->ref);
        sandbox_grant(p->sandbox, -(int64_t)flag->granted);
    }
    free_flag(flag);
}
