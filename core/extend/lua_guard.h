/* lua_guard: what the C functions inside a sandbox owe it. Room: extend, private. */
#ifndef PADDOCK_EXTEND_LUA_GUARD_H
#define PADDOCK_EXTEND_LUA_GUARD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Take `steps` from the run's budget; raises the limit's error when it is used up. A C function is
 * invisible to the hook, so each whose work grows with its input calls this before it works. About
 * 16 bytes or one element are a step. */
void guard_charge(lua_State *L, size_t steps);
/* A limit was hit in this run: whoever catches errors must raise this one again. */
bool guard_tripped(lua_State *L);

/* Push the table of globals that scripts see; called once, inside sandbox_new(). The string
 * metatable is set as well. */
void guard_open_libraries(lua_State *L);
/* Replace the table on top by a proxy that reads from it and refuses writes. `#`, pairs() and
 * ipairs() see through it. After guard_trust() the table stays as it is but for a metatable, by
 * which the library knows that it must not write to it. */
void guard_protect(lua_State *L);
/* What guard_protect() is given from now on needs no proxy: see guard_writes(). */
void guard_trust(lua_State *L);
/* lua_writes.c: may a function made in the script on top write to a table, other than by what the
 * library does? True as well if that cannot be told. */
bool guard_writes(lua_State *L);
/* If the value at `index` is such a proxy, push the table behind it and return true. */
bool guard_unwrap(lua_State *L, int index);

/* Fill the table on top with the functions of strings, and of tables. */
void guard_open_strings(lua_State *L);
void guard_open_tables(lua_State *L);
/* Push the text of the value at `index` without addresses: what tostring() and %s give. */
void guard_push_text(lua_State *L, int index);

#endif
