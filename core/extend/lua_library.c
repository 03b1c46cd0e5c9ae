/* The globals of a policy, and the proxies that keep them as they are. What is missing here is
 * missing on purpose; lua_sandbox.c and scripts/lua/README.md say why. */
#include "extend/lua_guard.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>

/* The key under which a proxy's metatable marks itself; its address is the mark. */
static const char PROXY = 'p';
/* The key in the registry of the metatable of tables without a proxy, once there may be some. */
static const char TRUSTED = 't';

/* ---- proxies ---- */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "this table is read-only");
}

static int length_behind(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
    return 1;
}

void guard_trust(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &TRUSTED);
}

void guard_protect(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &TRUSTED) == LUA_TTABLE) {
        lua_setmetatable(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L); /* the proxy */
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, length_behind, 1);
    lua_setfield(L, -2, "__len");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &PROXY);
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

bool guard_unwrap(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, -1, &PROXY);
    bool proxy = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (proxy) {
        lua_pushliteral(L, "__index");
        lua_rawget(L, -2);
        lua_replace(L, -2);
    } else {
        lua_pop(L, 1);
    }
    return proxy;
}

/* ---- text of a value ---- */

void guard_push_text(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TSTRING: lua_pushvalue(L, index); return;
    case LUA_TNUMBER:
        lua_pushvalue(L, index);
        lua_tolstring(L, -1, NULL); /* turns the copy into a string */
        return;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); return;
    case LUA_TNIL: lua_pushliteral(L, "nil"); return;
    default: lua_pushstring(L, luaL_typename(L, index)); /* an address would differ each time */
    }
}

static int text_of(lua_State *L)
{
    luaL_checkany(L, 1);
    guard_push_text(L, 1);
    return 1;
}

/* Of the table behind a proxy, so that it is the same with and without one. */
static int raw_length(lua_State *L)
{
    luaL_argexpected(L, lua_type(L, 1) == LUA_TTABLE || lua_type(L, 1) == LUA_TSTRING, 1,
                     "table or string");
    lua_settop(L, 1);
    guard_unwrap(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

/* ---- pcall that cannot swallow a limit ---- */

static int protected_call(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    if (status == LUA_OK)
        return lua_gettop(L);
    if (guard_tripped(L) || status == LUA_ERRMEM || status == LUA_ERRERR)
        return lua_error(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* ---- pairs in an order that is the same each time ---- */

static bool key_before(lua_State *L, int a, int b)
{
    int type_a = lua_type(L, a), type_b = lua_type(L, b);
    if (type_a != type_b)
        return type_a < type_b; /* booleans, numbers, strings */
    if (type_a == LUA_TBOOLEAN)
        return lua_toboolean(L, a) < lua_toboolean(L, b);
    return lua_compare(L, a, b, LUA_OPLT);
}

static void sift(lua_State *L, int keys, lua_Integer root, lua_Integer n)
{
    for (lua_Integer child; (child = 2 * root) <= n; root = child) {
        lua_rawgeti(L, keys, root);
        lua_rawgeti(L, keys, child);
        if (child < n) {
            lua_rawgeti(L, keys, child + 1);
            if (key_before(L, -2, -1)) {
                lua_replace(L, -2);
                child++;
            } else {
                lua_pop(L, 1);
            }
        }
        bool done = !key_before(L, -2, -1);
        if (!done) {
            lua_rawseti(L, keys, root);
            lua_rawseti(L, keys, child);
        } else {
            lua_pop(L, 2);
            return;
        }
    }
}

/* Heapsort: n log n whatever the keys are. */
static void sort_keys(lua_State *L, int keys, lua_Integer n)
{
    for (lua_Integer root = n / 2; root >= 1; root--)
        sift(L, keys, root, n);
    for (lua_Integer last = n; last > 1; last--) {
        lua_rawgeti(L, keys, 1);
        lua_rawgeti(L, keys, last);
        lua_rawseti(L, keys, 1);
        lua_rawseti(L, keys, last);
        sift(L, keys, 1, last - 1);
    }
}

static int next_pair(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
    for (;;) {
        lua_settop(L, 0);
        if (lua_rawgeti(L, lua_upvalueindex(2), ++at) == LUA_TNIL)
            break;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
            break; /* else removed meanwhile */
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(3));
    return lua_gettop(L);
}

static size_t key_cost(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING ? 16 + lua_rawlen(L, index) / 4 : 16;
}

/* The keys are noted and sorted at the start, so the loop may change the table. */
static int sorted_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (guard_unwrap(L, 1))
        lua_replace(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        int type = lua_type(L, -1);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
            luaL_error(L, "pairs: a key is a %s; those have no order", luaL_typename(L, -1));
        guard_charge(L, key_cost(L, -1));
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    sort_keys(L, 2, n);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 3);
    return 1;
}

/* ---- the globals ---- */

/* Push a table with the named functions of the one at `from`. */
static void pick(lua_State *L, int from, const char *const *names)
{
    from = lua_absindex(L, from);
    lua_newtable(L);
    for (size_t i = 0; names[i]; i++) {
        lua_getfield(L, from, names[i]);
        lua_setfield(L, -2, names[i]);
    }
}

static void open_math(lua_State *L)
{
    static const char *const KEPT[] = {"abs", "ceil", "exp",        "floor", "fmod",       "huge",
                                       "log", "max",  "maxinteger", "min",   "mininteger", "modf",
                                       "pi",  "sqrt", "tointeger",  "type",  "ult",        NULL};
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    pick(L, -1, KEPT);
    lua_remove(L, -2);
}

void guard_open_libraries(lua_State *L)
{
    static const char *const KEPT[] = {"assert", "error", "ipairs",   "rawequal",
                                       "select", "type",  "tonumber", NULL};
    static const luaL_Reg OWN[] = {{"pairs", sorted_pairs},
                                   {"pcall", protected_call},
                                   {"rawlen", raw_length},
                                   {"tostring", text_of},
                                   {NULL, NULL}};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    pick(L, -1, KEPT);
    luaL_setfuncs(L, OWN, 0);
    open_math(L);
    guard_protect(L);
    lua_setfield(L, -2, "math");
    lua_newtable(L);
    guard_open_tables(L);
    guard_protect(L);
    lua_setfield(L, -2, "table");
    lua_newtable(L);
    guard_open_strings(L);
    guard_protect(L);
    /* ("x"):upper() finds the same, and the metatable is out of reach */
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_setfield(L, -2, "string");
    guard_protect(L);
    /* nothing of the whole libraries stays behind */
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}
