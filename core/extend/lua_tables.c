/* The table functions of policies: bounded, charged for, blind to metamethods. Lua's own run over
 * ranges that the caller names, which need not exist. */
#include "extend/lua_guard.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#define UNPACK_MAX 200
#define SORT_MAX   4096

/* The plain table at index 1, unwrapped if it may be read only. */
static size_t readable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (guard_unwrap(L, 1))
        lua_replace(L, 1);
    return lua_rawlen(L, 1);
}

static size_t writable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_getmetatable(L, 1))
        luaL_error(L, "this table is read-only");
    return lua_rawlen(L, 1);
}

static int table_concat(lua_State *L)
{
    size_t sep_len, n = readable(L);
    const char *sep = luaL_optlstring(L, 2, "", &sep_len);
    lua_settop(L, 2);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        if (!lua_isstring(L, -1))
            return luaL_error(L, "table.concat: item %d is a %s", (int)i, luaL_typename(L, -1));
        guard_charge(L, 2 + (lua_rawlen(L, -1) + sep_len) / 16);
        luaL_addvalue(&b);
        if (i < n)
            luaL_addlstring(&b, sep, sep_len);
    }
    luaL_pushresult(&b);
    return 1;
}

static int table_unpack(lua_State *L)
{
    lua_Integer n = (lua_Integer)readable(L);
    lua_Integer from = luaL_optinteger(L, 2, 1), to = luaL_optinteger(L, 3, n);
    if (from > to)
        return 0;
    if (from < -n - UNPACK_MAX || to > n + UNPACK_MAX || to - from >= UNPACK_MAX)
        return luaL_error(L, "table.unpack: more than %d values", UNPACK_MAX);
    int count = (int)(to - from) + 1;
    guard_charge(L, (size_t)count);
    luaL_checkstack(L, count, "table.unpack");
    for (lua_Integer i = from; i <= to; i++)
        lua_rawgeti(L, 1, i);
    return count;
}

static int table_insert(lua_State *L)
{
    lua_Integer n = (lua_Integer)writable(L), at = n + 1;
    if (lua_gettop(L) == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= n + 1, 2, "position out of bounds");
        lua_remove(L, 2);
    }
    luaL_argcheck(L, lua_gettop(L) == 2, 2, "one value expected");
    guard_charge(L, 1 + (size_t)(n + 1 - at));
    for (lua_Integer i = n; i >= at; i--) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 1, i + 1);
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int table_remove(lua_State *L)
{
    lua_Integer n = (lua_Integer)writable(L), at = luaL_optinteger(L, 2, n);
    if (n == 0)
        return 0;
    luaL_argcheck(L, at >= 1 && at <= n, 2, "position out of bounds");
    guard_charge(L, 1 + (size_t)(n - at));
    lua_rawgeti(L, 1, at);
    for (lua_Integer i = at; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, 1, i);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, n);
    return 1;
}

/* Is the value on top less than the one below it? Both are popped. `less` at index 2, if any. */
static bool top_before(lua_State *L, bool has_less)
{
    if (has_less) {
        lua_pushvalue(L, 2);
        lua_rotate(L, -3, 1); /* less, below, top */
        lua_insert(L, -2);    /* less, top, below */
        lua_call(L, 2, 1);
        bool before = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return before;
    }
    int type = lua_type(L, -1);
    if (type != lua_type(L, -2) || (type != LUA_TNUMBER && type != LUA_TSTRING))
        luaL_error(L, "table.sort: cannot compare a %s with a %s", luaL_typename(L, -1),
                   luaL_typename(L, -2));
    guard_charge(L, 1 + (type == LUA_TSTRING ? lua_rawlen(L, -1) / 16 : 0));
    bool before = lua_compare(L, -1, -2, LUA_OPLT);
    lua_pop(L, 2);
    return before;
}

/* Merge the sorted runs from..mid-1 and mid..to-1 of table 1 by way of table 3. */
static void merge(lua_State *L, lua_Integer from, lua_Integer mid, lua_Integer to)
{
    bool has_less = !lua_isnil(L, 2);
    lua_Integer a = from, b = mid, out = from;
    while (a < mid || b < to) {
        bool second = a >= mid;
        if (a < mid && b < to) {
            lua_rawgeti(L, 1, a);
            lua_rawgeti(L, 1, b);
            second = top_before(L, has_less);
        }
        lua_rawgeti(L, 1, second ? b++ : a++);
        lua_rawseti(L, 3, out++);
    }
    for (lua_Integer i = from; i < to; i++) {
        lua_rawgeti(L, 3, i);
        lua_rawseti(L, 1, i);
    }
}

/* A merge sort: stable, n log n whatever the order function says. */
static int table_sort(lua_State *L)
{
    lua_Integer n = (lua_Integer)writable(L);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (n > SORT_MAX)
        return luaL_error(L, "table.sort: more than %d items", SORT_MAX);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer width = 1; width < n; width *= 2) {
        guard_charge(L, (size_t)n * 4);
        for (lua_Integer from = 1; from + width <= n; from += 2 * width) {
            lua_Integer to = from + 2 * width;
            merge(L, from, from + width, to > n + 1 ? n + 1 : to);
        }
    }
    return 0;
}

void guard_open_tables(lua_State *L)
{
    static const luaL_Reg OWN[] = {{"concat", table_concat}, {"insert", table_insert},
                                   {"remove", table_remove}, {"sort", table_sort},
                                   {"unpack", table_unpack}, {NULL, NULL}};
    luaL_setfuncs(L, OWN, 0);
}
