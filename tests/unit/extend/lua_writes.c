#include "extend/lua_guard.h"
#include "extend/lua_sandbox.h"
#include "extend/policy.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define LONG "a text of more than forty characters, which is kept another way"
#define KINDS_OF_CONSTANTS \
    "return function() return '" LONG "', 1, 2.5, nil, true, false, 1 << 62, 1e300 end"
#define MANY_KINDS                                                                           \
    "local f = function(t) return 'text', 1, 2.5, nil, true, '" LONG "' end return "         \
    "function(t) return function(...) local a <const> = 5; for i = 1, 2 do t[i] = a end end" \
    " end, f"

struct probe {
    const char *source;
    bool writes;
};

static int look(lua_State *L)
{
    struct probe *p = lua_touserdata(L, 1);
    sandbox_compile(L, p->source, strlen(p->source), "@p.lua");
    p->writes = guard_writes(L);
    return 0;
}

static bool writes(const char *source)
{
    struct err e = {0};
    struct probe p = {source, false};
    struct sandbox *sb = sandbox_new(&SANDBOX_LIMITS, &e);
    assert_non_null(sb);
    if (!sandbox_run(sb, look, &p, &e))
        fail_msg("%s: %s", source, e.detail);
    sandbox_free(sb);
    return p.writes;
}

/* Every form in which Lua compiles a write, at any depth. */
static void writers_are_told(void **state)
{
    (void)state;
    static const char *const WRITERS[] = {
        "return function(t) t.field = 1 end",
        "return function(t) t['two words'] = nil end",
        "return function(t) t[1] = true end",
        "return function(t) t[100000] = true end",
        "return function(t, k) t[k] = k end",
        "return function(t) local u, v = 1 t.x, u = u, v end",
        "return function() global = 1 end",
        "local t = {} return function() t.x = 1 end",
        "local t = {} return function() t = 1; t[t] = 2 end",
        "return function(t) function t.inner() end end",
        "return function(t) function t:inner() end end",
        "return function(t) return function() return function() t.deep = 1 end end end",
        MANY_KINDS,
        "return { decide = function(t) return { made = t } end }", /* cannot be told from others */
    };
    static const char *const READERS[] = {
        "return function(t) return t.field, t[1], t['two words'], #t, global end",
        "return { summary = 's', params = {}, decide = function(t) local x = t.x return x end }",
        "local t = {} t.x = 1 t[1] = 2 function t.f(a) return a end return t",
        "local n = 0 return function() n = n + 1 return n end",
        "return function(t) for k, v in pairs(t) do if k then return v end end end",
        "return function(t, ...) return { 1, 2, t }, { ... } end",
        "return function(t, ...) while t do t = select(1, ...) end goto out ::out:: end",
        "return function(t) return table.insert(t, 1), t:method(2), ('x'):upper() end",
        KINDS_OF_CONSTANTS,
        "",
    };
    for (size_t i = 0; i < sizeof WRITERS / sizeof *WRITERS; i++)
        if (!writes(WRITERS[i]))
            fail_msg("it writes: %s", WRITERS[i]);
    for (size_t i = 0; i < sizeof READERS / sizeof *READERS; i++)
        if (writes(READERS[i]))
            fail_msg("it only reads: %s", READERS[i]);
}

static bool on(struct policy *p, struct policy_flag *flag, const char *context)
{
    struct policy_decision out;
    struct err e = {0};
    json_t *ctx = json_loads(context, 0, NULL);
    assert_non_null(ctx);
    if (!policy_decide(p, flag, ctx, &(struct policy_env){.now_ms = 1}, &out, &e))
        fail_msg("%s", e.detail);
    json_decref(ctx);
    return out.variant == 1;
}

/* What one call does to the tables that it was given, no later one sees: by a script that only
 * reads and asks the library to write, and by one that writes itself. */
static void what_is_given_stays(const char *attempt)
{
    static const char *const VARIANTS[] = {"off", "on"};
    char source[4096];
    struct err e = {0};
    int len = snprintf(
        source, sizeof source,
        "return { summary = 's', decide = function(flag, ctx, env)"
        "  local given = { flag, ctx, env, flag.variants, flag.params, flag.params.list, ctx.list,"
        "                  ctx.object, math, string, table }"
        "  if ctx.attack then"
        "    for _, t in ipairs(given) do %s end"
        "    return 'on'"
        "  end"
        "  return flag.key == 'f' and #flag.variants == 2 and flag.variants[1] == 'off' and"
        "    flag.params.n == 7 and #flag.params.list == 3 and flag.params.list[1] == 3 and"
        "    #ctx.list == 3 and ctx.list[1] == 3 and ctx.object.k == 'v' and env.now == 1 and"
        "    env.bucket and rawlen(ctx.list) == 3 and not (flag.x or flag[1] or ctx.x or ctx[1] or"
        "    env.x or env[1] or flag.params.x or math.x or string.x or table.x) and 'on' or 'off'"
        "end }",
        attempt);
    struct policy *p = policy_load(POLICY_ROLLOUT, "p", source, (size_t)len, &e);
    if (!p)
        fail_msg("%s", e.detail);
    json_t *params = json_pack("{s:i,s:[i,i,i]}", "n", 7, "list", 3, 1, 2);
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 2, .params = params};
    struct policy_flag *flag = policy_flag_add(p, &facts);
    for (int i = 0; i < 2; i++) {
        assert_true(on(p, flag, "{\"list\":[3,1,2],\"object\":{\"k\":\"v\"},\"attack\":true}"));
        if (!on(p, flag, "{\"list\":[3,1,2],\"object\":{\"k\":\"v\"}}"))
            fail_msg("seen by a later call: %s", attempt);
    }
    json_decref(params);
    policy_free(p);
}

static void nothing_given_is_written_to(void **state)
{
    (void)state;
    static const char *const ATTEMPTS[] = {
        "pcall(table.insert, t, 'x')",
        "pcall(table.insert, t, 1, 'x')",
        "pcall(table.remove, t, 1) pcall(table.remove, t)",
        "pcall(table.sort, t)",
        "pcall(table.sort, t, function(a, b) return true end)",
        "pcall(function() t.x = 1 end)",
        "pcall(function() t[1] = 'x' end)",
        "pcall(function(k) t[k] = 'x' end, 'now') pcall(function(k) t[k] = nil end, 'bucket')",
        "pcall(function() t.key, t.n, t.k, t.list = nil end)",
        "pcall(function() function t.bucket() end end)",
        "for k in pairs(t) do pcall(function() t[k] = 'x' end) end",
    };
    for (size_t i = 0; i < sizeof ATTEMPTS / sizeof *ATTEMPTS; i++)
        what_is_given_stays(ATTEMPTS[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_are_told),
        cmocka_unit_test(nothing_given_is_written_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
