/* The shipped rollout policies: who gets what, and who stays when shares grow. */
#include "extend/policy_trial.h"

#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct policy *load(const char *name)
{
    char path[4096];
    static char text[65536];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/scripts/lua/rollout/%s.lua", getenv("PADDOCK_SOURCE"), name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    struct policy *p = policy_load(POLICY_ROLLOUT, name, text, len, &e);
    if (!p)
        fail_msg("%s", e.detail);
    return p;
}

static bool in_segment(void *ctx, const char *segment, const char *unit, size_t len)
{
    (void)ctx;
    return (strcmp(segment, "staff") == 0 && len == 2 && memcmp(unit, "s1", 2) == 0) ||
           (strcmp(segment, "friends") == 0 && len == 2 && memcmp(unit, "f1", 2) == 0);
}

#define NOON 1764590400000 /* 2025-12-01T12:00:00Z */

static const struct {
    const char *policy, *params, *context;
    const char *variant, *reason; /* variant NULL: fails for want of a unit */
} CASES[] = {
    {"percentage", "{'weights':{'on':100}}", "{'targetingKey':'u'}", "on", "SPLIT"},
    {"percentage", "{'weights':{'on':100},'percent':0}", "{'targetingKey':'u'}", "off", "DEFAULT"},
    {"percentage", "{'weights':{'on':50,'off':50}}", "{}", NULL, NULL},
    {"ring", "{'rings':[{'segment':'staff'},{'percent':100}],'open':0}", "{'targetingKey':'s1'}",
     "off", "DEFAULT"},
    {"ring", "{'rings':[{'segment':'staff'},{'percent':100}]}", "{'targetingKey':'s1'}", "on",
     "TARGETING_MATCH"},
    {"ring", "{'rings':[{'segment':'staff'},{'percent':100}]}", "{'targetingKey':'u'}", "off",
     "DEFAULT"},
    {"ring", "{'rings':[{'segment':'staff'},{'percent':100}],'open':2}", "{'targetingKey':'u'}",
     "on", "SPLIT"},
    {"allowlist", "{'units':['a','b']}", "{'targetingKey':'b'}", "on", "TARGETING_MATCH"},
    {"allowlist", "{'units':['a','b']}", "{'targetingKey':'c'}", "off", "DEFAULT"},
    {"allowlist", "{'units':['a'],'denied':['a']}", "{'targetingKey':'a'}", "off",
     "TARGETING_MATCH"},
    {"allowlist", "{'segments':['staff','friends']}", "{'targetingKey':'f1'}", "on",
     "TARGETING_MATCH"},
    {"allowlist", "{}", "{}", "off", "DEFAULT"},
    {"schedule", "{'start':'2025-12-02T00:00:00Z','end':'2025-12-03T00:00:00Z'}",
     "{'targetingKey':'u'}", "off", "DEFAULT"},
    {"schedule", "{'start':'2025-11-01T00:00:00Z','end':'2025-11-02T00:00:00Z'}", "{}", "on",
     "STATIC"},
    {"schedule", "{'start':'2025-12-01T00:00:00Z','end':'2025-12-02T00:00:00Z'}", "{}", NULL, NULL},
    {"schedule",
     "{'start':'2025-12-01T00:00:00Z','end':'2025-12-02T01:00:00Z','steps':2,'to':0,'from':100}",
     "{}", "on", "STATIC"},
    {"sticky_canary", "{'percent':100}", "{'targetingKey':'u'}", "canary", "SPLIT"},
    {"sticky_canary", "{'percent':100,'unit':'account'}", "{'targetingKey':'u'}", "off", "DEFAULT"},
    {"sticky_canary", "{'percent':100,'unit':'account'}", "{'account':7}", "canary", "SPLIT"},
    {"sticky_canary", "{'percent':100,'protect':['staff']}", "{'targetingKey':'s1'}", "off",
     "TARGETING_MATCH"},
#define RULE(when) "{'rules':[{'variant':'on','when':[" when "]}]}"
#define HOLDS(when, context)                                       \
    {                                                              \
        "attributes", RULE(when), context, "on", "TARGETING_MATCH" \
    }
#define NOT(when, context)                                  \
    {                                                       \
        "attributes", RULE(when), context, "off", "DEFAULT" \
    }
    HOLDS("{'field':'a','op':'eq','value':1}", "{'a':1}"),
    NOT("{'field':'a','op':'eq','value':1}", "{'a':'1'}"),
    HOLDS("{'field':'a','op':'ne','value':1}", "{}"),
    HOLDS("{'field':'a','op':'in','values':['x','y']}", "{'a':'y'}"),
    NOT("{'field':'a','op':'in','values':['x','y']}", "{}"),
    HOLDS("{'field':'a','op':'not_in','values':['x']}", "{'a':'y'}"),
    HOLDS("{'field':'a','op':'exists'}", "{'a':false}"),
    HOLDS("{'field':'a','op':'missing'}", "{}"),
    HOLDS("{'field':'a','op':'lt','value':5}", "{'a':4.5}"),
    NOT("{'field':'a','op':'lt','value':5}", "{'a':'4'}"),
    NOT("{'field':'a','op':'gt','value':5}", "{}"),
    HOLDS("{'field':'a','op':'ge','value':5},{'field':'a','op':'le','value':5}", "{'a':5}"),
    NOT("{'field':'a','op':'gt','value':5},{'field':'a','op':'le','value':9}", "{'a':10}"),
    HOLDS("{'field':'a','op':'contains','value':'b'}", "{'a':'abc'}"),
    NOT("{'field':'a','op':'contains','value':'1'}", "{'a':1}"),
    HOLDS("{'field':'a','op':'starts_with','value':'ab'}", "{'a':'abc'}"),
    HOLDS("{'field':'a','op':'ends_with','value':'bc'}", "{'a':'abc'}"),
    HOLDS("{'field':'a','op':'glob','value':'a*c'}", "{'a':'abbc'}"),
    HOLDS("{'field':'a','op':'semver_ge','value':'1.9.0'}", "{'a':'1.10.0'}"),
    NOT("{'field':'a','op':'semver_ge','value':'1.9.0'}", "{'a':'none'}"),
    HOLDS("{'field':'a','op':'semver_lt','value':'1.9.0'}", "{'a':'1.8.9'}"),
    HOLDS("{'field':'targetingKey','op':'segment','value':'staff'}", "{'targetingKey':'s1'}"),
    NOT("{'field':'targetingKey','op':'segment','value':'staff'}", "{}"),
    {"attributes", "{'rules':[{'variant':'on','percent':100}]}", "{'targetingKey':'u'}", "on",
     "SPLIT"},
    {"attributes", "{'rules':[]}", "{}", "off", "DEFAULT"},
};

/* JSON written with single quotes. */
static json_t *read_quoted(const char *text)
{
    char buffer[1024];
    snprintf(buffer, sizeof buffer, "%s", text);
    for (char *at = buffer; *at; at++)
        if (*at == '\'')
            *at = '"';
    json_t *value = json_loads(buffer, 0, NULL);
    if (!value)
        fail_msg("no JSON: %s", buffer);
    return value;
}

/* Open a trial of `name` that the caller closes. */
static void open_trial(struct policy_trial *t, const char *name, const char *params,
                       struct arena *a)
{
    struct err e = {0};
    struct policy *p = load(name);
    json_t *given = read_quoted(params);
    static const char *const VARIANTS[] = {"off", "on", "canary", NULL};
    const struct trial_setup setup = {.params = given, .variants = VARIANTS};
    if (!policy_trial_open(t, p, &setup, a, &e))
        fail_msg("%s %s: %s", name, params, e.detail);
    json_decref(given);
}

static void each_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct arena *a = arena_new(1 << 20);
        struct policy_trial t;
        struct policy_decision d;
        struct err e = {0};
        const struct policy_env env = {.now_ms = NOON, .in_segment = in_segment};
        open_trial(&t, CASES[i].policy, CASES[i].params, a);
        json_t *context = read_quoted(CASES[i].context);
        bool good = policy_decide(t.policy, t.flag, context, &env, &d, &e);
        if (!CASES[i].variant) {
            assert_false(good);
            assert_true(d.unit_missing);
        } else if (!good || strcmp(t.variants[d.variant], CASES[i].variant) != 0 ||
                   strcmp(policy_reason_name(d.reason), CASES[i].reason) != 0) {
            fail_msg("%s %s %s: %s %s %s", CASES[i].policy, CASES[i].params, CASES[i].context,
                     good ? t.variants[d.variant] : "-", policy_reason_name(d.reason), e.detail);
        }
        json_decref(context);
        policy_free(t.policy);
        arena_free(a);
    }
}

/* Growing each policy's share moves nobody out. */
static void growing_keeps_everybody(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *before, *after; /* the parameters around the percentage */
    } GROWING[] = {
        {"percentage", "{'percent':", ",'weights':{'on':100}}"},
        {"ring", "{'rings':[{'percent':", "}]}"},
        {"sticky_canary", "{'percent':", ",'variant':'on'}"},
        {"attributes", "{'rules':[{'variant':'on','percent':", "}]}"},
        {"schedule", "{'start':'2025-12-02T00:00:00Z','end':'2025-12-03T00:00:00Z','from':", "}"},
    };
    static const int STEPS[] = {1, 5, 25, 100};
    for (size_t i = 0; i < sizeof GROWING / sizeof *GROWING; i++) {
        bool in[2000] = {false};
        for (int step = 0; step < 4; step++) {
            char params[256];
            struct arena *a = arena_new(1 << 20);
            struct policy_trial t;
            const struct policy_env env = {.now_ms = NOON};
            snprintf(params, sizeof params, "%s%d%s", GROWING[i].before, STEPS[step],
                     GROWING[i].after);
            open_trial(&t, GROWING[i].policy, params, a);
            int count = 0;
            for (int unit = 0; unit < 2000; unit++) {
                struct policy_decision d;
                struct err e = {0};
                json_t *context = json_pack("{s:i}", "targetingKey", unit);
                assert_true(policy_decide(t.policy, t.flag, context, &env, &d, &e));
                assert_true(!in[unit] || d.variant == 1);
                in[unit] = d.variant == 1;
                count += in[unit];
                json_decref(context);
            }
            assert_in_range(count, STEPS[step] * 20 * 6 / 10, STEPS[step] * 20 * 15 / 10);
            policy_free(t.policy);
            arena_free(a);
        }
    }
}

/* What a policy says of its shares is what the units make of it. */
static void shares_are_told(void **state)
{
    (void)state;
    static const char *const TELLING[][2] = {
        {"percentage", "{'percent':30,'weights':{'on':60,'off':40}}"},
        {"percentage", "{'weights':{'on':25,'canary':75}}"},
        {"percentage", "{'percent':0,'weights':{'on':100}}"},
        {"ring", "{'open':3,'rings':[{'percent':5},{'segment':'staff'},{'percent':40}]}"},
        {"ring", "{'open':0,'rings':[{'percent':5}]}"},
        {"sticky_canary", "{'percent':20}"},
        {"schedule", "{'start':'2025-12-01T00:00:00Z','end':'2025-12-02T00:00:00Z'}"},
        {"allowlist", "{'units':['1','2']}"},
        {"attributes", "{'rules':[{'variant':'on','percent':20},"
                       "{'variant':'canary','percent':50,'when':[{'field':'a','op':'missing'}]},"
                       "{'variant':'on','percent':60},{'variant':'on','percent':30},"
                       "{'variant':'canary','percent':90,'when':[{'field':'a','op':'exists'}]}]}"},
        {"attributes", "{'rules':[{'variant':'on','percent':20},{'variant':'canary'}]}"},
    };
    enum { UNITS = 4000 };
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++) {
        struct arena *a = arena_new(1 << 20);
        struct policy_trial t;
        const struct policy_env env = {.now_ms = NOON, .in_segment = in_segment};
        int count[3] = {0};
        double told[3] = {0};
        open_trial(&t, TELLING[i][0], TELLING[i][1], a);
        for (int unit = 0; unit < UNITS; unit++) {
            struct policy_decision d;
            struct err e = {0};
            json_t *context = json_pack("{s:i}", "targetingKey", unit);
            assert_true(policy_decide(t.policy, t.flag, context, &env, &d, &e));
            assert_true(count[d.variant] == 0 || told[d.variant] == d.share);
            count[d.variant]++;
            told[d.variant] = d.share;
            json_decref(context);
        }
        for (size_t v = 0; v < 3; v++)
            if (fabs(told[v] - (double)count[v] / UNITS) > 0.03)
                fail_msg("%s %s: %s is said to have %g, has %d", TELLING[i][0], TELLING[i][1],
                         t.variants[v], told[v], count[v]);
        policy_free(t.policy);
        arena_free(a);
    }
}

/* What simulate tells of a re-weighting, three arms: as few move as can be. */
static void simulation_counts_moves(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct policy_trial today, draft;
    struct err e = {0};
    struct trial_count count;
    const struct policy_env env = {.now_ms = NOON};
    open_trial(&today, "percentage", "{'weights':{'off':40,'on':40,'canary':20}}", a);
    json_t *params = read_quoted("{'weights':{'off':30,'on':40,'canary':30}}");
    static const char *const VARIANTS[] = {"off", "on", "canary", NULL};
    const struct trial_setup setup = {.params = params, .variants = VARIANTS, .today = &today};
    struct policy *p = load("percentage");
    assert_true(policy_trial_open(&draft, p, &setup, a, &e));
    policy_trial_simulate(&draft, &today, NULL, &env, 20000, &count);
    assert_int_equal(count.units, 20000);
    assert_int_equal(count.errors, 0);
    assert_int_equal(count.variants[0] + count.variants[1] + count.variants[2], 20000);
    assert_in_range(count.moved, 1800, 2200);
    json_decref(params);
    policy_free(today.policy);
    policy_free(draft.policy);
    arena_free(a);
}

static void wrong_weights_are_faults(void **state)
{
    (void)state;
    static const char *const VARIANTS[] = {"off", "on", NULL};
    struct arena *a = arena_new(1 << 20);
    struct policy_trial t;
    struct err e = {0};
    struct policy *p = load("percentage");
    json_t *params = read_quoted("{'weights':{'off':50,'other':50}}");
    struct trial_setup setup = {.params = params, .variants = VARIANTS};
    assert_false(policy_trial_open(&t, p, &setup, a, &e));
    assert_non_null(strstr(e.members, "/params/weights/other"));
    setup.variants = NULL; /* then the weights name the variants */
    assert_true(policy_trial_open(&t, p, &setup, a, &e));
    assert_int_equal(t.variant_count, 3);
    json_decref(params);
    policy_free(p);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_decides),
        cmocka_unit_test(growing_keeps_everybody),
        cmocka_unit_test(shares_are_told),
        cmocka_unit_test(simulation_counts_moves),
        cmocka_unit_test(wrong_weights_are_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
