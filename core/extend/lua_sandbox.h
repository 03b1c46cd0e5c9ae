/* lua_sandbox: a Lua state in which somebody else's script can do no harm. Room: extend.
 * Threads: one at a time; nothing is shared between sandboxes.
 *
 * The essay is in lua_sandbox.c. In short: one state for one policy, no way to the outside, a limit
 * of memory, of steps and of processor time. Once a limit is hit in a run everything that the
 * script does ends with an error until the run is over; the sandbox says `spoilt` from then on, and
 * its owner makes a new one (some 25 µs). */
#ifndef PADDOCK_EXTEND_LUA_SANDBOX_H
#define PADDOCK_EXTEND_LUA_SANDBOX_H

#include "base/err.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox;

struct sandbox_limits {
    size_t memory_bytes; /* of everything the state holds */
    int64_t steps;       /* VM instructions of one run; C functions charge for what they do */
    int64_t cpu_ns;      /* processor time of one run */
};
extern const struct sandbox_limits SANDBOX_LIMITS; /* 1 MiB, 100,000 steps, 5 ms */

#define SANDBOX_SOURCE_MAX ((size_t)64 * 1024)

extern const struct err_kind ERR_POLICY; /* 422 POLICY_INVALID: a script failed or broke a rule */

/* A fresh state with the pruned libraries. NULL: no memory, or `limits` are too tight. */
struct sandbox *sandbox_new(const struct sandbox_limits *limits, struct err *e) MUST_CHECK;
void sandbox_free(struct sandbox *sb); /* NULL is allowed */

/* Run `body` under the limits, with `arg` as a light userdata at index 1. Everything that touches
 * the state happens in such a body, for anything in Lua may raise an error. Its results are left
 * to it: it copies out what it wants to C before it returns. On an error ERR_POLICY, with the
 * script's own message ("name.lua:7: ..."). */
bool sandbox_run(struct sandbox *sb, lua_CFunction body, void *arg, struct err *e) MUST_CHECK;

/* The same with a function of the state's registry as the body, which saves making one. */
bool sandbox_call(struct sandbox *sb, int ref, void *arg, struct err *e) MUST_CHECK;

/* The state, for luaL_unref() and nothing else outside a body. */
lua_State *sandbox_state(struct sandbox *sb);

/* Inside a body: compile `source` (text only, at most SANDBOX_SOURCE_MAX) and push its function,
 * whose globals are the pruned libraries, not writable. Raises an error with the line. */
void sandbox_compile(lua_State *L, const char *source, size_t len, const char *chunk_name);

/* Raise (or lower again) the limit of memory by what the host itself put into the state. */
void sandbox_grant(struct sandbox *sb, int64_t bytes);

/* A limit was hit: make a new one. */
bool sandbox_spoilt(const struct sandbox *sb);
/* Bytes held now, and at most since it was made. */
size_t sandbox_memory(const struct sandbox *sb);
size_t sandbox_memory_peak(const struct sandbox *sb);
/* Steps of the last run, to within the 64 between two looks. */
int64_t sandbox_steps(const struct sandbox *sb);

/* A pointer of the owner, for C functions inside. */
void sandbox_set_owner(struct sandbox *sb, void *owner);
void *sandbox_owner(lua_State *L);

#endif
