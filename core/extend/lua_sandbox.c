/* How a script is held.
 *
 * The hook that Lua calls every so many instructions does not stop C functions, is off in
 * finalizers and message handlers, counts anew in each coroutine, and its error is caught by any
 * pcall. So the hook is only one of four walls:
 *
 * 1. What is not there cannot be abused. No coroutines, no metatables, no finalizers, no handlers,
 *    no loading of code, no files, no patterns (whose matching is exponential). See lua_library.c.
 * 2. Memory has a hard limit, which also bounds what one instruction or C call can take: nothing
 *    big exists that could be copied or compared. An emergency collection takes a millisecond or
 *    so, hence only a few are granted in a run; then every growth is refused.
 * 3. Steps and processor time are counted by the hook, by the allocator for large pieces, and by
 *    every C function whose work grows with its input (guard_charge()).
 * 4. A limit, once hit, sticks: our pcall raises it again, the allocator refuses to grow, and the
 *    host throws the state away.
 *
 * Time is the thread's processor time, so that a busy machine does not fail good policies. It
 * costs a system call, so it is asked only when the wall clock says that the limit may have
 * passed; and a run so short that the hook comes once pays for neither. */
#include "extend/lua_sandbox.h"

#include "base/mem.h"
#include "extend/lua_guard.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOOK_PERIOD   64   /* instructions between two looks; its length costs nothing */
#define LARGE         4096 /* bytes: a piece worth a look by the allocator */
#define EMERGENCIES   4    /* full collections for want of memory, granted to a run */
#define GC_PAUSE      400  /* percent: a collection comes when what lives has quadrupled */
#define BYTES_OF_STEP 16

enum trip { TRIP_NONE, TRIP_STEPS, TRIP_TIME, TRIP_MEMORY };

struct sandbox {
    lua_State *L;
    struct sandbox_limits limits;
    size_t used, peak;
    int64_t steps_left;
    int64_t wall_end_ns, cpu_end_ns; /* valid once looks >= 2 */
    unsigned looks, emergencies;
    enum trip trip;
    bool running, spoilt;
    int globals; /* reference to the protected table of globals */
    void *owner;
};

const struct sandbox_limits SANDBOX_LIMITS = {
    .memory_bytes = 1 << 20, .steps = 100000, .cpu_ns = 5000000};

const struct err_kind ERR_POLICY = {
    .code = "POLICY_INVALID",
    .status = 422,
    .title = "Policy invalid",
    .doc = "The policy does not compile, broke a rule of the sandbox, or does not return what its "
           "kind must return. The detail names the file and the line.",
};

static struct sandbox *of(lua_State *L)
{
    return *(struct sandbox **)lua_getextraspace(L);
}

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Look at the time. The first look of a run is free: short runs end before the second. */
static void look(struct sandbox *sb)
{
    if (++sb->looks < 2)
        return;
    int64_t wall = now_ns(CLOCK_MONOTONIC);
    if (sb->looks == 2) {
        sb->wall_end_ns = wall + sb->limits.cpu_ns;
        sb->cpu_end_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) + sb->limits.cpu_ns;
    } else if (wall >= sb->wall_end_ns) {
        int64_t left = sb->cpu_end_ns - now_ns(CLOCK_THREAD_CPUTIME_ID);
        if (left <= 0)
            sb->trip = TRIP_TIME;
        else
            sb->wall_end_ns = wall + left;
    }
}

static void spend(struct sandbox *sb, int64_t steps)
{
    sb->steps_left -= steps;
    if (sb->trip == TRIP_NONE && sb->steps_left < 0)
        sb->trip = TRIP_STEPS;
    if (sb->trip == TRIP_NONE)
        look(sb);
}

/* May the state grow by `more` bytes? A refusal makes Lua collect everything and ask once more. */
static bool may_grow(struct sandbox *sb, size_t more)
{
    if (sb->running) {
        if (more >= LARGE)
            spend(sb, (int64_t)(more / BYTES_OF_STEP));
        if (sb->trip != TRIP_NONE && more >= LARGE)
            return false; /* small pieces still go, for the message */
    }
    if (sb->used + more <= sb->limits.memory_bytes)
        return true;
    if (sb->running && ++sb->emergencies > EMERGENCIES)
        sb->trip = TRIP_MEMORY;
    return false;
}

static void *reallocate(void *owner, void *old, size_t old_size, size_t size)
{
    struct sandbox *sb = owner;
    if (!old)
        old_size = 0; /* it holds the kind of object then */
    if (size == 0) {
        free(old);
        sb->used -= old_size;
        return NULL;
    }
    if (size > old_size && !may_grow(sb, size - old_size))
        return NULL;
    void *fresh = realloc(old, size);
    if (!fresh)
        return size <= old_size ? old : NULL; /* Lua counts on shrinking */
    sb->used = sb->used - old_size + size;
    if (sb->used > sb->peak)
        sb->peak = sb->used;
    return fresh;
}

/* `level` of the script's function: 0 in the hook, 1 in a C function that it called. */
static _Noreturn void raise_trip(lua_State *L, int level)
{
    const struct sandbox *sb = of(L);
    luaL_where(L, level);
    if (sb->trip == TRIP_STEPS)
        lua_pushfstring(L, "used up its %d steps", (int)sb->limits.steps);
    else if (sb->trip == TRIP_TIME)
        lua_pushfstring(L, "used up its %d ms", (int)(sb->limits.cpu_ns / 1000000));
    else
        lua_pushfstring(L, "used up its %d KiB of memory", (int)(sb->limits.memory_bytes / 1024));
    lua_concat(L, 2);
    lua_error(L);
    abort(); /* lua_error does not return */
}

static void hook(lua_State *L, lua_Debug *at)
{
    (void)at;
    struct sandbox *sb = of(L);
    spend(sb, HOOK_PERIOD);
    if (sb->trip != TRIP_NONE)
        raise_trip(L, 0);
}

void guard_charge(lua_State *L, size_t steps)
{
    struct sandbox *sb = of(L);
    sb->steps_left -= (int64_t)steps;
    if (steps >= HOOK_PERIOD || sb->steps_left < 0)
        spend(sb, 0);
    if (sb->trip != TRIP_NONE)
        raise_trip(L, 1);
}

bool guard_tripped(lua_State *L)
{
    return of(L)->trip != TRIP_NONE;
}

static int open_state(lua_State *L)
{
    struct sandbox *sb = lua_touserdata(L, 1);
    guard_open_libraries(L);
    sb->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

struct sandbox *sandbox_new(const struct sandbox_limits *limits, struct err *e)
{
    struct sandbox *sb = mem_zero(1, sizeof *sb);
    sb->limits = *limits;
    sb->steps_left = limits->steps;
    sb->L = lua_newstate(reallocate, sb);
    if (!sb->L) {
        free(sb);
        fail(e, &ERR_MEMORY, "no memory for a Lua state");
        return NULL;
    }
    *(struct sandbox **)lua_getextraspace(sb->L) = sb;
    if (!sandbox_run(sb, open_state, sb, e)) {
        sandbox_free(sb);
        return NULL;
    }
    lua_gc(sb->L, LUA_GCCOLLECT);
    lua_gc(sb->L, LUA_GCINC, GC_PAUSE, 0, 0);
    lua_sethook(sb->L, hook, LUA_MASKCOUNT, HOOK_PERIOD);
    return sb;
}

void sandbox_free(struct sandbox *sb)
{
    if (!sb)
        return;
    lua_close(sb->L);
    free(sb);
}

/* The message of the error on top of the stack. Nothing here may call back into the script, so
 * anything but a string is only named. */
static bool report(struct sandbox *sb, int status, struct err *e)
{
    static const char *const LIMITS[] = {NULL, "steps", "time", "memory"};
    lua_State *L = sb->L;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (status == LUA_ERRMEM && sb->trip == TRIP_NONE)
        sb->trip = TRIP_MEMORY;
    if (sb->trip != TRIP_NONE)
        sb->spoilt = true;
    if (sb->trip != TRIP_NONE && status == LUA_ERRMEM)
        return fail(e, &ERR_POLICY, "used up its %s when it asked for more memory",
                    LIMITS[sb->trip]);
    if (!text)
        return fail(e, &ERR_POLICY, "raised an error that is a %s, not a text",
                    lua_typename(L, lua_type(L, -1)));
    return fail(e, &ERR_POLICY, "%s", text);
}

/* The body is on the stack. */
static bool run(struct sandbox *sb, void *arg, struct err *e)
{
    lua_State *L = sb->L;
    sb->steps_left = sb->limits.steps;
    sb->looks = 0;
    sb->emergencies = 0;
    sb->trip = TRIP_NONE;
    sb->running = true;
    lua_pushlightuserdata(L, arg);
    int status = lua_pcall(L, 1, 0, 0);
    sb->running = false;
    bool good = status == LUA_OK;
    if (!good)
        report(sb, status, e);
    lua_settop(L, 0);
    return good;
}

/* None of these allocates before it is protected. */
bool sandbox_run(struct sandbox *sb, lua_CFunction body, void *arg, struct err *e)
{
    lua_pushcfunction(sb->L, body);
    return run(sb, arg, e);
}

bool sandbox_call(struct sandbox *sb, int ref, void *arg, struct err *e)
{
    lua_rawgeti(sb->L, LUA_REGISTRYINDEX, ref);
    return run(sb, arg, e);
}

lua_State *sandbox_state(struct sandbox *sb)
{
    return sb->L;
}

void sandbox_compile(lua_State *L, const char *source, size_t len, const char *chunk_name)
{
    if (len > SANDBOX_SOURCE_MAX)
        luaL_error(L, "%s: the source has more than %d bytes", chunk_name + 1,
                   (int)SANDBOX_SOURCE_MAX);
    if (luaL_loadbufferx(L, source, len, chunk_name, "t") != LUA_OK)
        lua_error(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, of(L)->globals);
    lua_setupvalue(L, -2, 1); /* a chunk's first upvalue is _ENV */
}

void sandbox_grant(struct sandbox *sb, int64_t bytes)
{
    sb->limits.memory_bytes += (size_t)bytes; /* modulo 2^64, so a negative one lowers it */
}

bool sandbox_spoilt(const struct sandbox *sb)
{
    return sb->spoilt;
}

size_t sandbox_memory(const struct sandbox *sb)
{
    return sb->used;
}

size_t sandbox_memory_peak(const struct sandbox *sb)
{
    return sb->peak;
}

int64_t sandbox_steps(const struct sandbox *sb)
{
    return sb->limits.steps - sb->steps_left;
}

void sandbox_set_owner(struct sandbox *sb, void *owner)
{
    sb->owner = owner;
}

void *sandbox_owner(lua_State *L)
{
    return of(L)->owner;
}
