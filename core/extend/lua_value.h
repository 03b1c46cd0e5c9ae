/* lua_value: JSON values into a sandbox and out of it. Room: extend. Threads: the sandbox's. */
#ifndef PADDOCK_EXTEND_LUA_VALUE_H
#define PADDOCK_EXTEND_LUA_VALUE_H

#include <jansson.h>
#include <lua.h>

/* Push `value`; objects and arrays become tables that cannot be written, null becomes nil. May
 * raise an error of memory, or of nesting beyond 32. */
void lua_value_push(lua_State *L, const json_t *value);

/* The value at `index` as JSON, a new reference: tables with the keys 1..n are arrays, others
 * objects (sorted by key). NULL, and what is wrong in `*why`, for functions, mixed keys, nesting
 * beyond 16 or more than 20,000 values. Raises nothing. */
json_t *lua_value_read(lua_State *L, int index, const char **why);

#endif
