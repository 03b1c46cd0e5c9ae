/* The helpers of `env`: what a policy may ask of its surroundings. All are pure, but for what the
 * caller's segments say, and all can be traced for an explanation. */
#include "base/json.h"
#include "extend/lua_guard.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TRACED_TEXT 256

/* ---- explanation ---- */

static void put_traced(struct bytes *b, lua_State *L, int index)
{
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNIL: bytes_text(b, "null"); break;
    case LUA_TBOOLEAN: bytes_text(b, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER: json_put_number(b, lua_tonumber(L, index)); break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        json_put_stringn(b, text, len > TRACED_TEXT ? TRACED_TEXT : len);
        break;
    default: json_put_string(b, luaL_typename(L, index));
    }
}

static int line_of_caller(lua_State *L)
{
    lua_Debug at;
    return lua_getstack(L, 1, &at) && lua_getinfo(L, "l", &at) ? at.currentline : 0;
}

static void trace_call(lua_State *L, struct bytes *b, const char *name, int args, int64_t place)
{
    guard_charge(L, 64);
    size_t before = b->len;
    bytes_text(b, before ? ",{" : "{");
    json_kv_string(b, "call", name);
    json_key(b, "args");
    bytes_char(b, '[');
    for (int i = 1; i <= args; i++) {
        if (i > 1)
            bytes_char(b, ',');
        put_traced(b, L, i);
    }
    bytes_char(b, ']');
    json_key(b, "result");
    put_traced(b, L, -1);
    if (place >= 0)
        json_kv_int(b, "place", place);
    json_kv_int(b, "line", line_of_caller(L));
    bytes_char(b, '}');
    if (b->full) { /* whole rows only */
        b->len = before;
        b->data[before] = '\0';
    }
}

/* End a helper whose one result is on top and whose arguments are 1..args; `place` is the bucket
 * that it looked at, -1: none. */
static int done_at(lua_State *L, const struct policy *p, const char *name, int args, int64_t place)
{
    if (p->env && p->env->trace)
        trace_call(L, p->env->trace, name, args, place);
    return 1;
}

static int done(lua_State *L, const char *name, int args)
{
    return done_at(L, sandbox_owner(L), name, args, -1);
}

/* ---- units ---- */

/* The unit at `index`: a text, or a number as its text. A missing or empty one, which would put all
 * who have none in one place, ends the call. */
static const char *unit_at(lua_State *L, struct policy *p, int index, size_t *len)
{
    const char *unit = lua_tolstring(L, index, len);
    if (unit && *len) {
        guard_charge(L, 2 + *len / 16);
        return unit;
    }
    int type = lua_type(L, index);
    *len = 0;
    p->unit_missing = unit || type == LUA_TNIL || type == LUA_TNONE;
    luaL_error(L, p->unit_missing ? "the context has no unit (targetingKey)"
                                  : "a unit must be a text or a number");
    return NULL;
}

static const struct policy_flag *flag_of(lua_State *L, const struct policy *p)
{
    if (!p->flag)
        luaL_error(L, "this helper needs a flag");
    return p->flag;
}

/* bucket(unit [, salt]): 0 <= percent < 100, in steps of 0.001. */
static int env_bucket(lua_State *L)
{
    size_t len;
    struct policy *p = sandbox_owner(L);
    lua_settop(L, 2);
    const char *unit = unit_at(L, p, 1, &len);
    const char *salt = lua_isnil(L, 2) ? flag_of(L, p)->salt : luaL_checkstring(L, 2);
    uint32_t place = bucket_of(salt, BUCKET_GATE, unit, len);
    p->drew = true;
    lua_pushnumber(L, place / 1000.0);
    return done_at(L, p, "bucket", 2, place);
}

/* split(unit): the variant in whose range the unit falls. */
static int env_split(lua_State *L)
{
    size_t len;
    struct policy *p = sandbox_owner(L);
    lua_settop(L, 1);
    const struct policy_flag *flag = flag_of(L, p);
    if (flag->share_count == 0)
        return luaL_error(L, "env.split: the flag has no weights");
    const char *unit = unit_at(L, p, 1, &len);
    uint32_t place = bucket_of(flag->salt, BUCKET_SPLIT, unit, len);
    int arm = share_at(flag->shares, flag->share_count, place);
    size_t variant = arm >= 0 ? (size_t)arm : flag->default_variant;
    p->drew = true;
    lua_pushlstring(L, flag->variants[variant], flag->variant_lens[variant]);
    return done_at(L, p, "split", 1, place);
}

/* share(variant): of the weights, 0..1; 0: they have none of this name. */
static int env_share(lua_State *L)
{
    size_t len;
    double share = 0;
    lua_settop(L, 1);
    const struct policy_flag *flag = flag_of(L, sandbox_owner(L));
    const char *name = luaL_checklstring(L, 1, &len);
    size_t variant = policy_flag_variant(flag, name, len);
    if (variant < flag->variant_count)
        share = flag->arm_shares[variant];
    lua_pushnumber(L, share);
    return 1; /* nothing to trace: it is the same for everybody */
}

static int env_in_segment(lua_State *L)
{
    size_t len;
    lua_settop(L, 2);
    struct policy *p = sandbox_owner(L);
    const char *segment = luaL_checkstring(L, 1);
    const char *unit = unit_at(L, p, 2, &len);
    guard_charge(L, 8);
    bool in =
        p->env && p->env->in_segment && p->env->in_segment(p->env->segments, segment, unit, len);
    lua_pushboolean(L, in);
    return done(L, "in_segment", 2);
}

/* ---- texts ---- */

/* Both arguments as texts. False, with the result `false` pushed, if one is missing: a context
 * without the field simply does not match. */
static bool two_texts(lua_State *L, const char **a, size_t *a_len, const char **b, size_t *b_len)
{
    lua_settop(L, 2);
    *a = lua_isnil(L, 1) ? NULL : luaL_checklstring(L, 1, a_len);
    *b = lua_isnil(L, 2) ? NULL : luaL_checklstring(L, 2, b_len);
    if (*a && *b) {
        guard_charge(L, 1 + (*a_len + *b_len) / 16);
        return true;
    }
    lua_pushboolean(L, 0);
    return false;
}

static int env_starts_with(lua_State *L)
{
    const char *text, *start;
    size_t len, start_len;
    if (two_texts(L, &text, &len, &start, &start_len))
        lua_pushboolean(L, start_len <= len && memcmp(text, start, start_len) == 0);
    return done(L, "starts_with", 2);
}

static int env_ends_with(lua_State *L)
{
    const char *text, *end;
    size_t len, end_len;
    if (two_texts(L, &text, &len, &end, &end_len))
        lua_pushboolean(L, end_len <= len && memcmp(text + len - end_len, end, end_len) == 0);
    return done(L, "ends_with", 2);
}

static int env_contains(lua_State *L)
{
    const char *text, *part;
    size_t len, part_len;
    if (two_texts(L, &text, &len, &part, &part_len))
        lua_pushboolean(L, memmem(text, len, part, part_len) != NULL);
    return done(L, "contains", 2);
}

/* glob(text, pattern): `*` any run, `?` any one byte. Going back only to the last star makes it at
 * worst the product of both lengths, which is charged for as it goes. */
static int env_glob(lua_State *L)
{
    const char *text, *pattern;
    size_t len, pattern_len, t = 0, p = 0, star = SIZE_MAX, star_text = 0, since = 0;
    if (!two_texts(L, &text, &len, &pattern, &pattern_len))
        return done(L, "glob", 2);
    while (t < len) {
        if (++since == 1024) {
            guard_charge(L, 256);
            since = 0;
        }
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern_len && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_text;
        } else {
            break;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    lua_pushboolean(L, t == len && p == pattern_len);
    return done(L, "glob", 2);
}

/* ---- semantic versions (semver.org 2.0.0) ---- */

struct semver {
    uint64_t part[3];
    const char *pre;
    size_t pre_len;
};

static bool digits(const char **at, const char *end, uint64_t *out)
{
    const char *start = *at;
    *out = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 18)
        *out = *out * 10 + (uint64_t)(*(*at)++ - '0');
    return *at > start && (*start != '0' || *at - start == 1);
}

/* "1.2.3-rc.1+build"; a leading v and missing minor or patch parts are forgiven. */
static bool semver_read(const char *text, size_t len, struct semver *out)
{
    const char *at = text, *end = text + len;
    *out = (struct semver){.pre = NULL};
    if (at < end && *at == 'v')
        at++;
    for (int i = 0; i < 3; i++) {
        if (!digits(&at, end, &out->part[i]))
            return false;
        if (i == 2 || at == end || *at != '.')
            break;
        at++;
    }
    if (at < end && *at == '-') {
        const char *plus = memchr(at, '+', (size_t)(end - at));
        out->pre = at + 1;
        out->pre_len = (size_t)((plus ? plus : end) - out->pre);
        return out->pre_len > 0;
    }
    return at == end || *at == '+';
}

static int compare_word(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *at_a = a, *at_b = b;
    uint64_t x, y;
    bool num_a = digits(&at_a, a + a_len, &x) && at_a == a + a_len;
    bool num_b = digits(&at_b, b + b_len, &y) && at_b == b + b_len;
    if (num_a != num_b)
        return num_a ? -1 : 1; /* numbers stand before words */
    if (num_a)
        return (x > y) - (x < y);
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? (order > 0) - (order < 0) : (a_len > b_len) - (a_len < b_len);
}

static int compare_pre(const struct semver *a, const struct semver *b)
{
    if (!a->pre || !b->pre)
        return (a->pre == NULL) - (b->pre == NULL); /* a release stands after its candidates */
    const char *x = a->pre, *y = b->pre, *x_end = x + a->pre_len, *y_end = y + b->pre_len;
    while (x < x_end && y < y_end) {
        const char *x_dot = memchr(x, '.', (size_t)(x_end - x));
        const char *y_dot = memchr(y, '.', (size_t)(y_end - y));
        const char *x_stop = x_dot ? x_dot : x_end, *y_stop = y_dot ? y_dot : y_end;
        int order = compare_word(x, (size_t)(x_stop - x), y, (size_t)(y_stop - y));
        if (order)
            return order;
        x = x_dot ? x_dot + 1 : x_end;
        y = y_dot ? y_dot + 1 : y_end;
    }
    return (x < x_end) - (y < y_end);
}

/* semver(a, b): -1, 0 or 1; nil if one of them is no version. */
static int env_semver(lua_State *L)
{
    const char *a, *b;
    size_t a_len, b_len;
    struct semver x, y;
    if (!two_texts(L, &a, &a_len, &b, &b_len) || !semver_read(a, a_len, &x) ||
        !semver_read(b, b_len, &y)) {
        lua_pushnil(L);
        return done(L, "semver", 2);
    }
    int order = 0;
    for (int i = 0; i < 3 && !order; i++)
        order = (x.part[i] > y.part[i]) - (x.part[i] < y.part[i]);
    lua_pushinteger(L, order ? order : compare_pre(&x, &y));
    return done(L, "semver", 2);
}

/* note(text): a line for who asks for an explanation; else nothing. */
static int env_note(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushnil(L);
    return done(L, "note", 1);
}

void policy_open_env(lua_State *L)
{
    static const luaL_Reg HELPERS[] = {{"bucket", env_bucket},
                                       {"contains", env_contains},
                                       {"ends_with", env_ends_with},
                                       {"glob", env_glob},
                                       {"in_segment", env_in_segment},
                                       {"note", env_note},
                                       {"semver", env_semver},
                                       {"share", env_share},
                                       {"split", env_split},
                                       {"starts_with", env_starts_with},
                                       {NULL, NULL}};
    luaL_newlib(L, HELPERS);
}
