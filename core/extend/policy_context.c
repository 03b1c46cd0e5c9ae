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

/* As it stands in the table already? A text is looked at in set_text(). */
static bool same(const struct context_slot *s, const json_t *value)
{
    switch (json_typeof(value)) {
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
    switch (json_typeof(value)) {
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
    s->type = LUA_TNIL;
}

/* Is the field at place `i` the one that stood there last time? */
static bool expected(const struct policy *p, size_t i, const char *key)
{
    return i < p->slot_count && strcmp(p->slots[i].key, key) == 0;
}

static void set_text(lua_State *L, struct context_slot *s, const json_t *value, lua_Integer place,
                     int keys, int data)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (s->type == LUA_TSTRING && s->len == len && memcmp(s->text, text, len) == 0)
        return;
    s->type = LUA_TNONE; /* should the next lines fail */
    lua_rawgeti(L, keys, place);
    lua_pushlstring(L, text, len);
    lua_rawset(L, data);
    if (len > sizeof s->text)
        return;
    memcpy(s->text, text, len);
    s->len = len;
    s->type = LUA_TSTRING;
}

/* Set the field of slot `i`, unless it holds that already. */
static void set_field(lua_State *L, struct policy *p, size_t i, const json_t *value, int keys,
                      int data)
{
    struct context_slot *s = &p->slots[i];
    lua_Integer place = (lua_Integer)i + 1;
    if (json_is_string(value)) {
        set_text(L, s, value, place, keys, data);
        return;
    }
    if (same(s, value))
        return;
    s->type = LUA_TNONE;
    lua_rawgeti(L, keys, place);
    lua_value_push(L, value);
    lua_rawset(L, data);
    remember(s, value);
}

/* The common case: the same fields in the same order. False at the first that is not. */
static bool fill_as_before(lua_State *L, struct policy *p, json_t *fields, int keys, int data)
{
    size_t i = 0;
    if (json_object_size(fields) != p->slot_count)
        return false;
    for (void *at = json_object_iter(fields); at; at = json_object_iter_next(fields, at), i++) {
        if (!expected(p, i, json_object_iter_key(at)))
            return false;
        set_field(L, p, i, json_object_iter_value(at), keys, data);
    }
    return true;
}

void policy_context_fill(lua_State *L, struct policy *p, int keys, int data)
{
    json_t *fields = (json_t *)p->context; /* jansson's iterators are not const */
    p->context_id = 0;                     /* should the next lines fail */
    if (!fill_as_before(L, p, fields, keys, data)) {
        start_over(L, p, keys, data);
        for (void *at = json_object_iter(fields); at; at = json_object_iter_next(fields, at)) {
            add_slot(L, p, keys, json_object_iter_key(at), json_object_iter_key_len(at));
            set_field(L, p, p->slot_count - 1, json_object_iter_value(at), keys, data);
        }
    }
    p->context_id = p->env->context_id;
}
