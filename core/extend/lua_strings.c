/* The string functions of policies: those of Lua that are bounded, charged for, and no patterns. */
#include "extend/lua_guard.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#define RESULT_MAX  ((size_t)64 * 1024)
#define BYTES_MAX   256 /* values that byte() gives and char() takes */
#define FORMAT_ARGS 32

/* Charge for the text at index 1, then do as Lua's own function, which is the upvalue. */
static int charged(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    guard_charge(L, 1 + len / 16);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int string_byte(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_Integer from = luaL_optinteger(L, 2, 1), to = luaL_optinteger(L, 3, from);
    lua_Integer first = from < 0 ? (lua_Integer)len + from + 1 : from;
    lua_Integer last = to < 0 ? (lua_Integer)len + to + 1 : to;
    if (last > (lua_Integer)len)
        last = (lua_Integer)len;
    if (first >= 1 && last - first >= BYTES_MAX)
        return luaL_error(L, "string.byte: more than %d values", BYTES_MAX);
    return charged(L);
}

static int string_char(lua_State *L)
{
    if (lua_gettop(L) > BYTES_MAX)
        return luaL_error(L, "string.char: more than %d values", BYTES_MAX);
    guard_charge(L, (size_t)lua_gettop(L));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* find(s, text [, from]): plain text only. memmem takes linear time whatever the two are. */
static int string_find(lua_State *L)
{
    size_t len, want_len;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *want = luaL_checklstring(L, 2, &want_len);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    if (from < 0)
        from = (lua_Integer)len + from + 1;
    if (from < 1)
        from = 1;
    if ((size_t)from > len + 1) {
        lua_pushnil(L);
        return 1;
    }
    guard_charge(L, 1 + (len + want_len) / 16);
    const char *at = memmem(s + from - 1, len - (size_t)(from - 1), want, want_len);
    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - s + 1);
    lua_pushinteger(L, at - s + (lua_Integer)want_len);
    return 2;
}

/* rep(s, n [, sep]): at most 64 KiB. Lua's own never ends for an empty text. */
static int string_rep(lua_State *L)
{
    size_t len, sep_len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_len);
    if (n <= 0 || len + sep_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (len > RESULT_MAX || sep_len > RESULT_MAX || (size_t)n > RESULT_MAX / (len + sep_len))
        return luaL_error(L, "string.rep: the result would have more than %d bytes",
                          (int)RESULT_MAX);
    size_t size = (size_t)n * len + (size_t)(n - 1) * sep_len;
    guard_charge(L, 1 + size / 16 + (size_t)n);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, size);
    for (lua_Integer i = 0; i < n; i++) {
        memcpy(out, s, len);
        out += len;
        if (i + 1 < n) {
            memcpy(out, sep, sep_len);
            out += sep_len;
        }
    }
    luaL_pushresultsize(&b, size);
    return 1;
}

/* The letter of the conversion that starts after a '%'; `at` moves behind it. */
static char conversion(const char **at, const char *end)
{
    while (*at < end && strchr("-+ #0123456789.", **at) && **at)
        (*at)++;
    return *at < end ? *(*at)++ : '\0';
}

/* format(): Lua's own, but %p and %q (addresses, control of the reader) are refused, and what %s
 * shows is made by our tostring, which calls nobody. */
static int string_format(lua_State *L)
{
    size_t len, work;
    const char *at = luaL_checklstring(L, 1, &len);
    const char *end = at + len;
    if (lua_gettop(L) > FORMAT_ARGS)
        return luaL_error(L, "string.format: more than %d values", FORMAT_ARGS - 1);
    work = len;
    int arg = 1;
    while (at < end) {
        if (*at++ != '%')
            continue;
        if (at < end && *at == '%') {
            at++;
            continue;
        }
        char letter = conversion(&at, end);
        luaL_checkany(L, ++arg);
        if (!letter || !strchr("dicuoxXaAeEfFgGs", letter))
            return luaL_error(L, "string.format: '%%%c' is not offered", letter ? letter : ' ');
        if (letter == 's') {
            guard_push_text(L, arg);
            work += lua_rawlen(L, -1);
            lua_replace(L, arg);
        }
        work += 128;
    }
    guard_charge(L, 1 + work / 16);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

void guard_open_strings(lua_State *L)
{
    static const char *const CHARGED[] = {"len", "lower", "reverse", "sub", "upper", NULL};
    static const luaL_Reg WRAPPED[] = {
        {"byte", string_byte}, {"char", string_char}, {"format", string_format}, {NULL, NULL}};
    static const luaL_Reg OWN[] = {{"find", string_find}, {"rep", string_rep}, {NULL, NULL}};
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
    for (size_t i = 0; CHARGED[i]; i++) {
        lua_getfield(L, -1, CHARGED[i]);
        lua_pushcclosure(L, charged, 1);
        lua_setfield(L, -3, CHARGED[i]);
    }
    for (size_t i = 0; WRAPPED[i].name; i++) {
        lua_getfield(L, -1, WRAPPED[i].name);
        lua_pushcclosure(L, WRAPPED[i].func, 1);
        lua_setfield(L, -3, WRAPPED[i].name);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, OWN, 0);
}
