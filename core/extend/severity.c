#include "extend/severity.h"

#include "base/utf8.h"
#include "extend/lua_guard.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HISTORY_MAX 1000 /* the newest ones */

enum member_type { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_BOOL };

static const struct member {
    const char *name;
    enum member_type type;
    size_t offset;
} MEMBERS[] = {
#define MEMBER(name, type)                                 \
    {                                                      \
#name, type, offsetof(struct severity_input, name) \
    }
    MEMBER(model_id, MEMBER_TEXT),      MEMBER(name, MEMBER_TEXT),
    MEMBER(version, MEMBER_TEXT),       MEMBER(status, MEMBER_TEXT),
    MEMBER(metric, MEMBER_TEXT),        MEMBER(baseline_model_id, MEMBER_TEXT),
    MEMBER(kind, MEMBER_TEXT),          MEMBER(unit, MEMBER_TEXT),
    MEMBER(better, MEMBER_TEXT),        MEMBER(test, MEMBER_TEXT),
    MEMBER(critical, MEMBER_BOOL),      MEMBER(low_sample, MEMBER_BOOL),
    MEMBER(incomparable, MEMBER_BOOL),  MEMBER(baseline, MEMBER_NUMBER),
    MEMBER(candidate, MEMBER_NUMBER),   MEMBER(delta, MEMBER_NUMBER),
    MEMBER(delta_ratio, MEMBER_NUMBER), MEMBER(margin, MEMBER_NUMBER),
    MEMBER(p_value, MEMBER_NUMBER),
#undef MEMBER
};
#define MEMBER_COUNT (sizeof MEMBERS / sizeof *MEMBERS)

static void push_number(lua_State *L, double value)
{
    if (isnan(value))
        lua_pushnil(L);
    else
        lua_pushnumber(L, value);
}

static void push_member(lua_State *L, const struct member *m, const struct severity_input *in)
{
    const char *at = (const char *)in + m->offset;
    if (m->type == MEMBER_TEXT)
        lua_pushstring(L, *(const char *const *)at); /* NULL gives nil */
    else if (m->type == MEMBER_BOOL)
        lua_pushboolean(L, *(const bool *)at);
    else
        push_number(L, *(const double *)at);
}

static void push_numbers(lua_State *L, const double *values, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_number(L, values[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    guard_protect(L);
}

static void push_input(lua_State *L, const struct severity_input *in)
{
    lua_createtable(L, 0, MEMBER_COUNT + 4);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        push_member(L, &MEMBERS[i], in);
        lua_setfield(L, -2, MEMBERS[i].name);
    }
    lua_pushinteger(L, (lua_Integer)in->samples);
    lua_setfield(L, -2, "samples");
    if (!isnan(in->confidence[0]) && !isnan(in->confidence[1])) {
        push_numbers(L, in->confidence, 2);
        lua_setfield(L, -2, "confidence");
    }
    if (in->labels)
        lua_value_push(L, in->labels);
    else
        push_numbers(L, NULL, 0);
    lua_setfield(L, -2, "labels");
    size_t skip = in->history_len > HISTORY_MAX ? in->history_len - HISTORY_MAX : 0;
    push_numbers(L, in->history_len ? in->history + skip : NULL, in->history_len - skip);
    lua_setfield(L, -2, "history");
    guard_protect(L);
}

static enum severity read_level(lua_State *L, int index)
{
    int type = lua_type(L, index);
    const char *text = type == LUA_TSTRING ? lua_tostring(L, index) : NULL;
    enum severity level = SEVERITY_MEDIUM;
    if (!severity_parse(text, &level))
        luaL_error(L, "grade must return none, low, medium or high, got %s",
                   text ? text : lua_typename(L, type));
    return level;
}

struct grade_call {
    struct policy *policy;
    const struct severity_input *in;
    const json_t *json; /* instead of `in` */
    struct severity_grade *out;
};

static int grade_body(lua_State *L)
{
    const struct grade_call *c = lua_touserdata(L, 1);
    struct policy *p = c->policy;
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->function);
    if (c->json)
        lua_value_push(L, c->json);
    else
        push_input(L, c->in);
    policy_push_env(L, p);
    lua_call(L, 2, 2);
    c->out->level = read_level(L, -2);
    size_t len;
    int type = lua_type(L, -1);
    if (type != LUA_TSTRING)
        return luaL_error(L, "grade must return a reason after the level, a text");
    const char *text = lua_tolstring(L, -1, &len);
    if (!utf8_valid(text, len) || memchr(text, '\0', len))
        return luaL_error(L, "the reason is no UTF-8 text");
    len = utf8_cut(text, len, sizeof c->out->reason - 1);
    memcpy(c->out->reason, text, len);
    c->out->reason[len] = '\0';
    return 0;
}

static void grade_failed(const char *name, const struct err *e, struct severity_grade *out)
{
    char text[SEVERITY_REASON_MAX + sizeof e->detail];
    int n = snprintf(text, sizeof text, "severity policy '%.64s' failed, hence medium: %s", name,
                     e->detail);
    size_t len = utf8_cut(text, (size_t)n, sizeof out->reason - 1);
    memcpy(out->reason, text, len);
    out->reason[len] = '\0';
    out->level = SEVERITY_MEDIUM;
    out->failed = true;
}

static bool grade(struct grade_call *call, int64_t now_ms, struct err *e)
{
    const struct policy_env env = {.now_ms = now_ms};
    call->policy->env = &env;
    bool good = policy_run(call->policy, grade_body, call, e);
    call->policy->env = NULL;
    return good;
}

void severity_grade(struct policy_set *set, const char *ns, const char *name,
                    const struct severity_input *in, struct severity_grade *out)
{
    struct err e = {0};
    *out = (struct severity_grade){.level = SEVERITY_MEDIUM};
    struct policy_use use;
    const struct policy_ref ref = {POLICY_SEVERITY, ns, name, 0};
    if (!policy_set_begin(set, &ref, &use, &e)) {
        grade_failed(name, &e, out);
        return;
    }
    struct grade_call call = {.policy = use.policy, .in = in, .out = out};
    bool good = grade(&call, policy_set_now(set), &e);
    policy_set_end(&use, good ? NULL : &e);
    if (!good)
        grade_failed(name, &e, out);
}

bool severity_grade_json(struct policy *p, const json_t *input, int64_t now_ms,
                         struct severity_grade *out, struct err *e)
{
    *out = (struct severity_grade){.level = SEVERITY_MEDIUM};
    struct grade_call call = {.policy = p, .json = input, .out = out};
    return grade(&call, now_ms, e);
}
