/* Every script of tests/lua/attacks ends as its first lines say, within the limits, and leaves a
 * policy that answers as before. How long each took is the business of bench/policy.c: a unit test
 * on a busy machine must not judge times. */
#include "extend/lua_sandbox.h"
#include "extend/policy.h"
#include "base/mem.h"
#include "support/attack.h"

#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void all_attacks_end(void **state)
{
    (void)state;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/tests/lua/attacks", getenv("PADDOCK_SOURCE"));
    char **paths = attack_list(dir);
    size_t n = 0;
    for (; paths[n]; n++) {
        struct attack_end end;
        attack_run(paths[n], &end);
        if (strcmp(end.expected, end.happened) != 0)
            fail_msg("%s: expected %s, but %s: %s", paths[n], end.expected, end.happened,
                     end.detail);
        if (!end.usable)
            fail_msg("%s: the state was not usable after it", paths[n]);
        /* what it did, by the sandbox's own count: the last pieces of memory that it asked for may
         * go beyond the limit, 16 bytes a step */
        assert_in_range(end.steps, 0,
                        SANDBOX_LIMITS.steps + 2 * (int64_t)SANDBOX_LIMITS.memory_bytes / 16);
        /* the parser works on up to 64 KiB of source beside what the policy holds */
        assert_in_range(end.memory_peak, 0, SANDBOX_LIMITS.memory_bytes + 64 * 1024);
        free(paths[n]);
    }
    free(paths);
    assert_in_range(n, 40, 511);
}

static void refused(const char *source, size_t len, const char *why)
{
    struct err e = {0};
    struct policy *p = policy_load(POLICY_ROLLOUT, "built", source, len, &e);
    assert_null(p);
    assert_ptr_equal(e.kind, &ERR_POLICY);
    if (!strstr(e.detail, why))
        fail_msg("'%s' does not say '%s'", e.detail, why);
}

/* Sources that would be no text files. */
static void hostile_sources(void **state)
{
    (void)state;
    static const char BYTECODE[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    refused(BYTECODE, sizeof BYTECODE - 1, "binary");
    char *deep = mem_alloc(40000);
    memcpy(deep, "return ", 7);
    memset(deep + 7, '(', 30000);
    refused(deep, 30007, "overflow");
    free(deep);
    char *large = mem_alloc(SANDBOX_SOURCE_MAX + 1);
    memset(large, ' ', SANDBOX_SOURCE_MAX + 1);
    refused(large, SANDBOX_SOURCE_MAX + 1, "65536");
    refused(large, SANDBOX_SOURCE_MAX, "must return a table");
    free(large);
    refused("return {\0}", 10, "built.lua");
}

/* Limits are each run's own: a thousand runs just below them pass. The deadline is by the clock on
 * the wall, so that a busy machine may take it from a few of them. */
static void limits_are_for_one_run(void **state)
{
    (void)state;
    static const char SOURCE[] = "return { summary = 's', decide = function()\n"
                                 "  local t = {} for i = 1, 500 do t[i] = i end return 'on' end }";
    static const char *const VARIANTS[] = {"on"};
    struct err e = {0};
    struct policy *p = policy_load(POLICY_ROLLOUT, "p", SOURCE, sizeof SOURCE - 1, &e);
    assert_non_null(p);
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 1};
    struct policy_flag *flag = policy_flag_add(p, &facts);
    json_t *context = json_object();
    const struct policy_env env = {0};
    int late = 0;
    for (int i = 0; i < 1000; i++) {
        struct policy_decision out;
        if (policy_decide(p, flag, context, &env, &out, &e))
            continue;
        if (!strstr(e.detail, "used up its 5 ms") || ++late > 50)
            fail_msg("call %d: %s", i, e.detail);
    }
    assert_in_range(policy_steps(p), 500, 100000);
    assert_in_range(policy_memory_peak(p), 1, SANDBOX_LIMITS.memory_bytes);
    json_decref(context);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_attacks_end),
        cmocka_unit_test(hostile_sources),
        cmocka_unit_test(limits_are_for_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
