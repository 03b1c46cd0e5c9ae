#include "extend/policy.h"

#include "extend/lua_sandbox.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const VARIANTS[] = {"off", "on", "maybe"};
static const struct share SHARES[] = {{0, 50000, 0}, {50000, 100000, 1}};

/* A policy with `body` as its decide, and one flag. */
struct fixture {
    struct policy *policy;
    struct policy_flag *flag;
    struct policy_decision out;
    struct err e;
};

static void open_params(struct fixture *x, const char *members, const char *body,
                        const char *params)
{
    char source[4096];
    int len = snprintf(source, sizeof source,
                       "return { summary = 's', %s decide = function(flag, ctx, env) %s end }",
                       members, body);
    *x = (struct fixture){.policy = NULL};
    x->policy = policy_load(POLICY_ROLLOUT, "p", source, (size_t)len, &x->e);
    if (!x->policy)
        fail_msg("%s", x->e.detail);
    json_t *given = json_loads(params, 0, NULL);
    const struct flag_facts facts = {.key = "flag-1",
                                     .salt = "salt-1",
                                     .variants = VARIANTS,
                                     .variant_count = 3,
                                     .params = given,
                                     .shares = SHARES,
                                     .share_count = 2};
    x->flag = policy_flag_add(x->policy, &facts);
    json_decref(given);
}

static void open_body(struct fixture *x, const char *body)
{
    open_params(x, "", body, "{}");
}

static bool decide(struct fixture *x, const char *context, const struct policy_env *env)
{
    json_t *ctx = json_loads(context, 0, NULL);
    assert_non_null(ctx);
    bool good = policy_decide(x->policy, x->flag, ctx, env, &x->out, &x->e);
    json_decref(ctx);
    return good;
}

static bool in_segment(void *ctx, const char *segment, const char *unit, size_t len)
{
    return strcmp(segment, ctx) == 0 && len == 2 && memcmp(unit, "u1", 2) == 0;
}

/* The variant that `body` gives for `context`. */
static const char *variant_of(const char *body, const char *context)
{
    static char name[16];
    struct fixture x;
    char segment[] = "staff";
    const struct policy_env env = {
        .now_ms = 1700000000000, .in_segment = in_segment, .segments = segment};
    open_body(&x, body);
    if (!decide(&x, context, &env))
        fail_msg("%s: %s", body, x.e.detail);
    snprintf(name, sizeof name, "%s", VARIANTS[x.out.variant]);
    policy_free(x.policy);
    return name;
}

/* In a policy that only reads, and in one that writes to tables, which is given proxies. */
static void is_true(const char *expression)
{
    static const char *const BEFORE[] = {"", "local t = {} t.x = 1 "};
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++) {
        char body[1024];
        snprintf(body, sizeof body, "%sreturn (%s) and 'on' or 'off'", BEFORE[i], expression);
        if (strcmp(variant_of(body, "{\"targetingKey\":\"u1\",\"n\":7,\"r\":0.5,\"b\":true,"
                                    "\"list\":[1,2],\"o\":{\"k\":\"v\"},\"none\":null}"),
                   "on") != 0)
            fail_msg("not true: %s%s", BEFORE[i], expression);
    }
}

static void helpers(void **state)
{
    (void)state;
    static const char *const TRUE[] = {
        "env.now == 1700000000000",
        "env.starts_with('abc', 'ab') and not env.starts_with('abc', 'b')",
        "env.starts_with('abc', '') and not env.starts_with('a', 'ab')",
        "env.ends_with('abc', 'bc') and not env.ends_with('abc', 'b')",
        "env.contains('abc', 'b') and not env.contains('abc', 'x')",
        "not env.contains(nil, 'x') and not env.starts_with('x', nil)",
        "env.glob('de-CH', 'de-*') and not env.glob('fr-CH', 'de-*')",
        "env.glob('abc', 'a?c') and env.glob('', '*') and not env.glob('', '?')",
        "env.glob('aXbXc', '*X*c') and not env.glob('aXbXd', '*X*c')",
        "env.semver('1.2.3', '1.10.0') == -1 and env.semver('2', '2.0.0') == 0",
        "env.semver('v1.0.0', '1.0.0-rc.1') == 1 and env.semver('1.0.0-rc.2', '1.0.0-rc.10') == -1",
        "env.semver('1.0.0-alpha', '1.0.0-1') == 1 and env.semver('1.0.0+a', '1.0.0+b') == 0",
        "env.semver('1.0.0-a', '1.0.0-a.1') == -1",
        "env.semver('x', '1') == nil and env.semver('01.0.0', '1') == nil",
        "env.semver('', '1') == nil",
        "env.in_segment('staff', ctx.targetingKey) and not env.in_segment('other', 'u1')",
        "env.bucket('u1') == env.bucket('u1') and env.bucket('u1') < 100 and env.bucket(7) >= 0",
        "env.bucket('u1', 'other') ~= env.bucket('u1')",
        "env.bucket(7) == env.bucket('7')",
        "env.split('u1') == 'on' or env.split('u1') == 'off'",
        "env.share('on') + env.share('off') == 1 and env.share('none') == 0",
        "env.note('said') == nil",
        "ctx.n == 7 and math.type(ctx.n) == 'integer' and ctx.r == 0.5 and ctx.b == true",
        "#ctx.list == 2 and ctx.list[2] == 2 and ctx.o.k == 'v' and ctx.none == nil",
        "flag.key == 'flag-1' and #flag.variants == 3 and flag.default_variant == 'off'",
        "flag.salt == nil",
    };
    for (size_t i = 0; i < sizeof TRUE / sizeof *TRUE; i++)
        is_true(TRUE[i]);
}

static void libraries(void **state)
{
    (void)state;
    static const char *const TRUE[] = {
        "table.concat({1, 'b', 2.5}, '-') == '1-b-2.5'",
        "('abc'):sub(2) == 'bc' and ('abc'):upper() == 'ABC' and #'abc' == 3",
        "('abcabc'):find('c') == 3 and ('abc'):find('b', 3) == nil and ('a.c'):find('.') == 2",
        "('ab'):rep(3, '-') == 'ab-ab-ab' and ('x'):rep(0) == '' and ('x'):rep(-1) == ''",
        "string.format('%5.1f|%d|%s|%%|%x', 2.25, 7, true, 255) == '  2.2|7|true|%|ff'",
        "string.char(104, 105) == 'hi' and select(2, string.byte('hi', 1, -1)) == 105",
        "tostring({}) == 'table' and tostring(nil) == 'nil' and tostring(1.5) == '1.5'",
        "tonumber('0x10') == 16 and math.floor(2.7) == 2 and math.max(1, 3) == 3",
        "select('#', table.unpack({1, 2, 3})) == 3 and pcall(error, 'x') == false",
        "select(2, pcall(error, 'x', 0)) == 'x' and pcall(function() return 1 end) == true",
        "(function() local s = '' for k in pairs({c = 1, a = 1, b = 1, [2] = 1, [1] = 1}) do"
        " s = s .. k end return s end)() == '12abc'",
        "(function() local n = 0 for _ in pairs(ctx) do n = n + 1 end return n end)() == 6",
        "(function() local n = 0 for _ in ipairs(ctx.list) do n = n + 1 end return n end)() == 2",
        "(function() local t = {3, 1, 2} table.sort(t) return table.concat(t) end)() == '123'",
        "(function() local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end)"
        " return table.concat(t) end)() == '321'",
        "(function() local t = {1, 3} table.insert(t, 2, 2) table.insert(t, 4)"
        " table.remove(t, 1) return table.concat(t) .. #t end)() == '2343'",
    };
    for (size_t i = 0; i < sizeof TRUE / sizeof *TRUE; i++)
        is_true(TRUE[i]);
}

/* The same state is asked again and again: nothing of one context may show in the next. */
static void contexts_do_not_mix(void **state)
{
    (void)state;
    struct fixture x;
    const struct policy_env env = {0};
    open_body(&x, "return ctx.a == 1 and 'on' or ctx.b and 'maybe' or 'off'");
    static const struct {
        const char *context;
        size_t variant;
    } CASES[] = {{"{\"a\":1}", 1},         {"{}", 0},
                 {"{\"b\":true}", 2},      {"{\"a\":1}", 1},
                 {"{\"a\":\"1\"}", 0},     {"{\"a\":1.0}", 1},
                 {"{\"a\":null}", 0},      {"{\"a\":1}", 1},
                 {"{\"b\":1,\"a\":2}", 2}, {"{\"a\":2,\"b\":false}", 0},
                 {"{\"a\":{}}", 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (!decide(&x, CASES[i].context, &env))
            fail_msg("%s", x.e.detail);
        if (x.out.variant != CASES[i].variant)
            fail_msg("case %zu gave %zu", i, x.out.variant);
    }
    policy_free(x.policy);
}

static void reasons_and_failures(void **state)
{
    (void)state;
    struct fixture x;
    const struct policy_env env = {0};
    open_body(&x, "if ctx.note then return 'on', ctx.note end return nil");
    assert_true(decide(&x, "{\"note\":\"SPLIT\"}", &env));
    assert_int_equal(x.out.reason, REASON_SPLIT);
    assert_string_equal(x.out.note, "");
    assert_true(decide(&x, "{\"note\":\"for friends\"}", &env));
    assert_int_equal(x.out.reason, REASON_MATCH);
    assert_string_equal(x.out.note, "for friends");
    assert_true(decide(&x, "{}", &env));
    assert_int_equal(x.out.reason, REASON_DEFAULT);
    assert_int_equal(x.out.variant, 0);
    policy_free(x.policy);
    open_body(&x, "return env.split(ctx.targetingKey)");
    assert_false(decide(&x, "{}", &env));
    assert_true(x.out.unit_missing);
    assert_false(decide(&x, "{\"targetingKey\":true}", &env));
    assert_false(x.out.unit_missing);
    assert_false(decide(&x, "{\"targetingKey\":\"\"}", &env));
    assert_true(x.out.unit_missing);
    assert_true(decide(&x, "{\"targetingKey\":\"u\"}", &env));
    policy_free(x.policy);
    open_body(&x, "if ctx.draws then env.bucket('u') end return 'on', 'SPLIT', ctx.share");
    assert_true(decide(&x, "{}", &env) && x.out.share == 1);
    assert_true(decide(&x, "{\"draws\":true}", &env) && isnan(x.out.share));
    assert_true(decide(&x, "{\"draws\":true,\"share\":0.25}", &env) && x.out.share == 0.25);
    assert_false(decide(&x, "{\"share\":1.5}", &env));
    assert_false(decide(&x, "{\"share\":\"half\"}", &env));
    policy_free(x.policy);
    open_body(&x, "\nlocal x = nil\nreturn x.y");
    assert_false(decide(&x, "{}", &env));
    assert_ptr_equal(x.e.kind, &ERR_POLICY);
    assert_non_null(strstr(x.e.detail, "rollout/p.lua:3:"));
    policy_free(x.policy);
}

static void explains(void **state)
{
    (void)state;
    struct fixture x;
    struct bytes trace = BYTES_INIT(4096);
    const struct policy_env env = {.trace = &trace};
    open_body(&x, "env.note('hi') return env.contains(ctx.a, 'b') and 'on' or 'off'");
    assert_true(decide(&x, "{\"a\":\"abc\"}", &env));
    assert_string_equal(
        trace.data, "{\"call\":\"note\",\"args\":[\"hi\"],\"result\":null,\"line\":1},"
                    "{\"call\":\"contains\",\"args\":[\"abc\",\"b\"],\"result\":true,\"line\":1}");
    bytes_release(&trace);
    trace = BYTES_INIT(100); /* rows that do not fit are left out whole */
    assert_true(decide(&x, "{\"a\":\"abc\"}", &env));
    assert_string_equal(trace.data,
                        "{\"call\":\"note\",\"args\":[\"hi\"],\"result\":null,\"line\":1}");
    bytes_release(&trace);
    policy_free(x.policy);
}

/* Flags live in the policy's state; many of them do not count against its memory, and they are
 * made again after a state is thrown away. */
static void many_flags(void **state)
{
    (void)state;
    struct fixture x;
    const struct policy_env env = {0};
    open_params(&x, "params = { pick = { type = 'string' } },",
                "if ctx.burn then while true do end end return flag.params.pick",
                "{\"pick\":\"maybe\"}");
    struct policy_flag *flags[2000];
    json_t *params = json_pack("{s:s}", "pick", "on"), *context = json_object();
    for (int i = 0; i < 2000; i++) {
        const struct flag_facts facts = {
            .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 3, .params = params};
        flags[i] = policy_flag_add(x.policy, &facts);
        struct policy_decision out;
        if (!policy_decide(x.policy, flags[i], context, &env, &out, &x.e))
            fail_msg("flag %d: %s", i, x.e.detail);
        assert_int_equal(out.variant, 1);
    }
    for (int i = 0; i < 1000; i++)
        policy_flag_drop(x.policy, flags[i]);
    assert_false(decide(&x, "{\"burn\":true}", &env));
    assert_true(decide(&x, "{}", &env));
    assert_int_equal(x.out.variant, 2);
    struct policy_decision out;
    assert_true(policy_decide(x.policy, flags[1500], context, &env, &out, &x.e));
    assert_int_equal(out.variant, 1);
    json_decref(params);
    json_decref(context);
    policy_free(x.policy);
}

static void broken(const char *source, const char *why)
{
    struct err e = {0};
    struct policy *p = policy_load(POLICY_ROLLOUT, "p", source, strlen(source), &e);
    assert_null(p);
    if (!strstr(e.detail, why))
        fail_msg("'%s' does not say '%s'", e.detail, why);
}

static void declarations(void **state)
{
    (void)state;
    broken("return 1", "must return a table");
    broken("x = = 1", "rollout/p.lua:1:");
    broken("\n\nreturn nothing.at.all", "rollout/p.lua:3:");
    broken("return { summary = 's' }", "needs a function 'decide'");
    broken("return { decide = function() end }", "needs a summary");
    broken("return { summary = 's', decide = 1 }", "needs a function");
    broken("return { summary = 's', sumary = 1, decide = function() end }", "'sumary'");
#define PARAMS(text) "return { summary = 's', decide = function() end, params = " text " }"
    broken(PARAMS("1"), "params must be a table");
    broken(PARAMS("{ a = { type = 'numbr' } }"), "params.a has no type");
    broken(PARAMS("{ a = { type = 'number', defualt = 1 } }"), "params.a has a member");
    broken(PARAMS("{ a = { type = 'number', max = 'x' } }"), "wrong type");
    broken(PARAMS("{ a = { type = 'number', max = 1, default = 2 } }"), "at most 1");
    broken(PARAMS("{ a = { type = 'map', default = pairs } }"), "function");
}

static void params_are_checked(void **state)
{
    (void)state;
    struct fixture x;
    open_params(&x,
                "params = { n = { type = 'number', min = 0, max = 100, default = 5 },"
                " w = { type = 'weights' }, t = { type = 'time' },"
                " s = { type = 'strings', default = {} }, must = { type = 'string',"
                " required = true, values = { 'a', 'b' } }, i = { type = 'integer' } },",
                "return 'on'", "{}");
    const struct policy_declaration declared = policy_declaration(x.policy);
    assert_string_equal(policy_weights_param(&declared), "w");
    static const struct {
        const char *given, *pointer, *detail; /* NULL: good */
    } CASES[] = {
        {"{\"must\":\"a\"}", NULL, NULL},
        {"{\"must\":\"a\",\"n\":null,\"t\":\"2026-11-23T02:00:00Z\"}", NULL, NULL},
        {"{}", "/params/must", "is required"},
        {"{\"must\":\"c\"}", "/params/must", "none of the values"},
        {"{\"must\":\"a\",\"n\":101}", "/params/n", "at most 100"},
        {"{\"must\":\"a\",\"n\":\"1\"}", "/params/n", "type number"},
        {"{\"must\":\"a\",\"x\":1}", "/params/x", "no parameter"},
        {"{\"must\":\"a\",\"w\":{\"on\":60,\"off\":30}}", "/params/w", "sum to 100"},
        {"{\"must\":\"a\",\"w\":{\"on\":160,\"off\":-60}}", "/params/w", "from 0 to 100"},
        {"{\"must\":\"a\",\"w\":{\"on\":0.001,\"off\":99.999}}", NULL, NULL},
        {"{\"must\":\"a\",\"t\":\"monday\"}", "/params/t", "a time"},
        {"{\"must\":\"a\",\"s\":[1]}", "/params/s", "item 0"},
        {"{\"must\":\"a\",\"i\":1.5}", "/params/i", "type integer"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct faults faults;
        faults_init(&faults, arena);
        json_t *given = json_loads(CASES[i].given, 0, NULL);
        json_t *filled = policy_params_fill(x.policy, given, "/params", &faults);
        assert_int_equal(filled != NULL, CASES[i].detail == NULL);
        if (filled) {
            assert_int_equal(json_number_value(json_object_get(filled, "n")), 5);
            assert_true(json_is_array(json_object_get(filled, "s")));
        } else {
            assert_string_equal(faults.list[0].pointer, CASES[i].pointer);
            if (!strstr(faults.list[0].detail, CASES[i].detail))
                fail_msg("%s: %s", CASES[i].given, faults.list[0].detail);
        }
        json_decref(given);
        json_decref(filled);
        arena_free(arena);
    }
    policy_free(x.policy);
}

static void too_many_fields(void **state)
{
    (void)state;
    struct fixture x;
    const struct policy_env env = {0};
    open_body(&x, "return 'on'");
    json_t *context = json_object();
    for (int i = 0; i <= CONTEXT_FIELDS_MAX; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        json_object_set_new(context, key, json_integer(i));
    }
    assert_false(policy_decide(x.policy, x.flag, context, &env, &x.out, &x.e));
    json_object_del(context, "k7");
    assert_true(policy_decide(x.policy, x.flag, context, &env, &x.out, &x.e));
    json_decref(context);
    policy_free(x.policy);
}

static void names(void **state)
{
    (void)state;
    enum policy_kind kind;
    assert_true(policy_name_valid("sticky_canary") && policy_name_valid("a-1"));
    assert_false(policy_name_valid("") || policy_name_valid("A") || policy_name_valid("../x"));
    assert_false(policy_name_valid("0123456789012345678901234567890123456789"
                                   "01234567890123456789012345"));
    assert_true(policy_kind_parse("severity", &kind) && kind == POLICY_SEVERITY);
    assert_false(policy_kind_parse("other", &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpers),
        cmocka_unit_test(libraries),
        cmocka_unit_test(contexts_do_not_mix),
        cmocka_unit_test(reasons_and_failures),
        cmocka_unit_test(explains),
        cmocka_unit_test(many_flags),
        cmocka_unit_test(declarations),
        cmocka_unit_test(params_are_checked),
        cmocka_unit_test(too_many_fields),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
