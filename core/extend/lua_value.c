#include "extend/lua_value.h"

#include "extend/lua_guard.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#define PUSH_DEPTH 32
#define READ_DEPTH 16
#define READ_MAX   20000

static void push(lua_State *L, const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    size_t i;
    if (depth > PUSH_DEPTH)
        luaL_error(L, "values are nested more than %d deep", PUSH_DEPTH);
    luaL_checkstack(L, 8, "values nested too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(value));
        json_object_foreach((json_t *)value, key, item) {
            push(L, item, depth + 1);
            lua_setfield(L, -2, key);
        }
        guard_protect(L);
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(value), 0);
        json_array_foreach((json_t *)value, i, item) {
            push(L, item, depth + 1);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        guard_protect(L);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); break;
    case JSON_REAL: lua_pushnumber(L, json_real_value(value)); break;
    case JSON_TRUE: lua_pushboolean(L, 1); break;
    case JSON_FALSE: lua_pushboolean(L, 0); break;
    default: lua_pushnil(L);
    }
}

void lua_value_push(lua_State *L, const json_t *value)
{
    push(L, value, 0);
}

struct reading {
    lua_State *L;
    const char *why;
    size_t left;
};

static json_t *refuse(struct reading *r, const char *why)
{
    r->why = why;
    return NULL;
}

static json_t *read_value(struct reading *r, int index, int depth);

static json_t *read_array(struct reading *r, int index, int depth)
{
    json_t *array = json_array();
    size_t n = lua_rawlen(r->L, index);
    for (size_t i = 1; array && i <= n; i++) {
        lua_rawgeti(r->L, index, (lua_Integer)i);
        json_t *item = read_value(r, lua_gettop(r->L), depth + 1);
        lua_pop(r->L, 1);
        if (!item || json_array_append_new(array, item) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same object with its keys in order: Lua's own order differs from run to run. */
static json_t *sorted(struct reading *r, json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    const char **keys = calloc(n ? n : 1, sizeof *keys);
    json_t *out = json_object(), *value;
    const char *key;
    if (!keys || !out) {
        json_decref(out);
        out = refuse(r, "no memory");
        goto done;
    }
    json_object_foreach(object, key, value)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, by_key);
    for (i = 0; i < n; i++)
        if (json_object_set(out, keys[i], json_object_get(object, keys[i])) != 0)
            r->why = "no memory";
done:
    free(keys);
    json_decref(object);
    return out;
}

static json_t *read_object(struct reading *r, int index, int depth)
{
    json_t *object = json_object();
    lua_pushnil(r->L);
    while (object && lua_next(r->L, index)) {
        if (lua_type(r->L, -2) != LUA_TSTRING) {
            lua_pop(r->L, 2);
            json_decref(object);
            return refuse(r, "a table mixes a list with named members");
        }
        json_t *item = read_value(r, lua_gettop(r->L), depth + 1);
        const char *key = lua_tostring(r->L, -2);
        if (!item || json_object_set_new(object, key, item) != 0) {
            lua_pop(r->L, 2);
            json_decref(object);
            return r->why ? NULL : refuse(r, "a key or text is no UTF-8");
        }
        lua_pop(r->L, 1);
    }
    return object ? sorted(r, object) : refuse(r, "no memory");
}

static json_t *read_table(struct reading *r, int index, int depth)
{
    if (depth > READ_DEPTH || !lua_checkstack(r->L, 8))
        return refuse(r, "tables are nested too deep");
    if (guard_unwrap(r->L, index)) {
        json_t *inner = read_table(r, lua_gettop(r->L), depth);
        lua_pop(r->L, 1);
        return inner;
    }
    return lua_rawlen(r->L, index) > 0 ? read_array(r, index, depth) : read_object(r, index, depth);
}

static json_t *read_value(struct reading *r, int index, int depth)
{
    size_t len;
    const char *text;
    json_t *out;
    if (r->left-- == 0)
        return refuse(r, "more values than 20000");
    switch (lua_type(r->L, index)) {
    case LUA_TNIL: return json_null();
    case LUA_TBOOLEAN: return json_boolean(lua_toboolean(r->L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(r->L, index))
            return json_integer(lua_tointeger(r->L, index));
        if (!isfinite(lua_tonumber(r->L, index)))
            return refuse(r, "a number is not finite");
        return json_real(lua_tonumber(r->L, index));
    case LUA_TSTRING:
        text = lua_tolstring(r->L, index, &len);
        out = json_stringn(text, len);
        return out ? out : refuse(r, "a text is no UTF-8");
    case LUA_TTABLE: return read_table(r, index, depth);
    default: return refuse(r, "a value is a function");
    }
}

json_t *lua_value_read(lua_State *L, int index, const char **why)
{
    struct reading r = {.L = L, .left = READ_MAX};
    int top = lua_gettop(L);
    json_t *value = read_value(&r, lua_absindex(L, index), 0);
    lua_settop(L, top);
    if (r.why && value) {
        json_decref(value);
        value = NULL;
    }
    *why = r.why ? r.why : "no memory";
    return value;
}
