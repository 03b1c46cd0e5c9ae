/* The caller's context in the state's table. A call with the same fields as the last one pushes
 * only the values that differ, under keys that Lua has seen: interning is what a call costs. */
#include "base/mem.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

void policy_context_forget(struct policy *p)
{
    for (size_t i = 0; i < p->slot_count; i++)
        free(p->slots[i].key);
    p->slot_count = 0;
    p->context_id = 0;
}

static bool same(const struct context_slot *s, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return s->type == LUA_TSTRING && s->len == json_string_length(value) &&
               memcmp(s->text, json_string_value(value), s->len) == 0;
    case JSON_INTEGER:
        return s->type == LUA_TNUMBER && s->is_integer &&
               s->as.integer == json_integer_value(value);
    case JSON_REAL:
        return s->type == LUA_TNUMBER && !s->is_integer && s->as.number == json_real_value(value);
    case JSON_TRUE:
    case JSON_FALSE: return s->type == LUA_TBOOLEAN && s->as.boolean == json_is_true(value);
    case JSON_NULL: return s->type == LUA_TNIL;
    default: return false;
    }
}

static void remember(struct context_slot *s, const json_t *value)
{
    s->type = LUA_TNONE;
    switch (json_typeof(value)) {
    case JSON_STRING:
        s->len = json_string_length(value);
        if (s->len > sizeof s->text)
            return;
        memcpy(s->text, json_string_value(value), s->len);
        s->type = LUA_TSTRING;
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        s->is_integer = json_is_integer(value);
        if (s->is_integer)
            s->as.integer = json_integer_value(value);
        else
            s->as.number = json_real_value(value);
        s->type = LUA_TNUMBER;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        s->as.boolean = json_is_true(value);
        s->type = LUA_TBOOLEAN;
        break;
    case JSON_NULL: s->type = LUA_TNIL; break;
    default: break;
    }
}

/* Take every field out of the table, and start over. */
static void start_over(lua_State *L, struct policy *p, int keys, int data)
{
    for (size_t i = 0; i < p->slot_count; i++) {
        lua_rawgeti(L, keys, (lua_Integer)i + 1);
        lua_pushnil(L);
        lua_rawset(L, data);
    }
    policy_context_forget(p);
}

static void add_slot(lua_State *L, struct policy *p, int keys, const char *key, size_t len)
{
    if (p->slot_count == CONTEXT_FIELDS_MAX)
        luaL_error(L, "the context has more than %d fields", CONTEXT_FIELDS_MAX);
    lua_pushlstring(L, key, len);
    lua_rawseti(L, keys, (lua_Integer)p->slot_count + 1);
    struct context_slot *s = &p->slots[p->slot_count++];
    s->key = mem_copy(key, len);
    s->key_len = len;
    s->type = LUA_TNIL;
}

/* Is the field at place `i` the one that stood there last time? */
static bool expected(const struct policy *p, size_t i, const char *key, size_t len)
{
    return i < p->slot_count && p->slots[i].key_len == len &&
           memcmp(p->slots[i].key, key, len) == 0;
}

/* Set the field of slot `i`, unless it holds that already. */
static void set_field(lua_State *L, struct policy *p, size_t i, const json_t *value)
{
    struct context_slot *s = &p->slots[i];
    if (same(s, value))
        return;
    s->type = LUA_TNONE;
    int data = lua_gettop(L), keys = data - 1;
    lua_rawgeti(L, keys, (lua_Integer)i + 1);
    if (json_is_string(value))
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
    else
        lua_value_push(L, value);
    lua_rawset(L, data);
    remember(s, value);
}

/* The common case: the same fields in the same order. False at the first that is not. */
static bool fill_as_before(lua_State *L, struct policy *p, json_t *fields)
{
    size_t i = 0;
    if (json_object_size(fields) != p->slot_count)
        return false;
    for (void *at = json_object_iter(fields); at; at = json_object_iter_next(fields, at), i++) {
        if (!expected(p, i, json_object_iter_key(at), json_object_iter_key_len(at)))
            return false;
        set_field(L, p, i, json_object_iter_value(at));
    }
    return true;
}

void policy_context_fill(lua_State *L, struct policy *p, const json_t *context)
{
    json_t *fields = (json_t *)context; /* jansson's iterators are not const */
    if (p->env->context_id && p->env->context_id == p->context_id)
        return;
    p->context_id = 0; /* should the next lines fail */
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->context_keys);
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->context_data);
    int data = lua_gettop(L), keys = data - 1;
    if (!fill_as_before(L, p, fields)) {
        start_over(L, p, keys, data);
        for (void *at = json_object_iter(fields); at; at = json_object_iter_next(fields, at)) {
            add_slot(L, p, keys, json_object_iter_key(at), json_object_iter_key_len(at));
            set_field(L, p, p->slot_count - 1, json_object_iter_value(at));
        }
    }
    lua_pop(L, 2);
    p->context_id = p->env->context_id;
}
