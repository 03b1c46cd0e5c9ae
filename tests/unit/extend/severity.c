/* The shipped default policy, through the catalog, and what becomes of policies that fail. */
#include "extend/severity.h"

#include "support/temp_dir.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct severity_input latency(double baseline, double candidate)
{
    return (struct severity_input){
        .model_id = "m:2",
        .name = "m",
        .version = "2",
        .status = "canary",
        .baseline_model_id = "m:1",
        .metric = "latency_p95",
        .kind = "latency",
        .unit = "ms",
        .better = "lower",
        .test = "perf",
        .baseline = baseline,
        .candidate = candidate,
        .delta = candidate - baseline,
        .delta_ratio = (candidate - baseline) / baseline,
        .margin = 2,
        .confidence = {NAN, NAN},
        .p_value = 0.0001,
        .samples = 1000,
    };
}

static struct policies *catalog(void)
{
    char dir[4096];
    struct err e = {0};
    snprintf(dir, sizeof dir, "%s/scripts/lua", getenv("PADDOCK_SOURCE"));
    const char *const dirs[] = {dir, NULL};
    struct policies *p = policies_open(dirs, &CLOCK_SYSTEM, &e);
    if (!p)
        fail_msg("%s", e.detail);
    return p;
}

static void graded(struct policy_set *set, const struct severity_input *in, enum severity level,
                   const char *reason)
{
    struct severity_grade out;
    severity_grade(set, "default", "default", in, &out);
    if (out.failed || out.level != level || !strstr(out.reason, reason))
        fail_msg("%s: %s (expected %s: %s)", severity_name(out.level), out.reason,
                 severity_name(level), reason);
}

static void the_default_grades(void **state)
{
    (void)state;
    struct policies *p = catalog();
    struct policy_set *set = policy_set_new(p);
    struct severity_input in = latency(20, 21);
    graded(set, &in, SEVERITY_NONE, "within the accepted margin");
    in = latency(20, 10);
    graded(set, &in, SEVERITY_NONE, "not worse");
    in = latency(20, 23);
    graded(set, &in, SEVERITY_LOW, "latency_p95 went from 20 to 23 ms, 3 worse (accepted are 2)");
    in = latency(20, 25);
    graded(set, &in, SEVERITY_MEDIUM, "5 worse");
    in = latency(20, 28);
    graded(set, &in, SEVERITY_HIGH, "8 worse");
    in.low_sample = true;
    graded(set, &in, SEVERITY_MEDIUM, "few samples");
    in = latency(20, 25);
    in.critical = true;
    graded(set, &in, SEVERITY_HIGH, "critical");
    in = latency(20, 28);
    in.p_value = 0.2;
    graded(set, &in, SEVERITY_LOW, "may be noise");
    in.confidence[0] = 3;
    in.confidence[1] = 13;
    graded(set, &in, SEVERITY_HIGH, "8 worse");
    in.confidence[0] = -1;
    graded(set, &in, SEVERITY_LOW, "may be noise");
    in.incomparable = true;
    graded(set, &in, SEVERITY_NONE, "cannot be compared");
    in = latency(NAN, 28);
    graded(set, &in, SEVERITY_NONE, "no baseline");
    policy_set_free(set);
    policies_close(p);
}

static void the_default_knows_directions(void **state)
{
    (void)state;
    struct policies *p = catalog();
    struct policy_set *set = policy_set_new(p);
    struct severity_input in = {
        .metric = "auc",
        .kind = "score",
        .better = "higher",
        .baseline = 0.9,
        .candidate = 0.4,
        .delta = -0.5,
        .delta_ratio = -0.5 / 0.9,
        .margin = NAN,
        .confidence = {-0.6, -0.4},
        .p_value = NAN,
    };
    graded(set, &in, SEVERITY_HIGH, "auc went from 0.9 to 0.4, 0.5 worse");
    in.delta = 0.05;
    graded(set, &in, SEVERITY_NONE, "not worse");
    in.better = "target";
    in.delta = 0.2;
    in.delta_ratio = 0.22;
    in.confidence[0] = NAN;
    graded(set, &in, SEVERITY_MEDIUM, "0.2 worse");
    policy_set_free(set);
    policies_close(p);
}

static void write_policy(const char *dir, const char *body)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/severity/own.lua", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "return { summary = 's', grade = function(r, env) %s end }\n", body);
    assert_int_equal(fclose(file), 0);
}

/* The grade of a policy `own` with this body, freshly loaded. */
static struct severity_grade own_grade(const char *body)
{
    char dir[TEMP_DIR_SIZE], folder[TEMP_DIR_SIZE + 16];
    struct err e = {0};
    struct severity_grade out;
    temp_dir_make(dir);
    snprintf(folder, sizeof folder, "%s/severity", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_policy(dir, body);
    const char *const dirs[] = {dir, NULL};
    struct policies *p = policies_open(dirs, &CLOCK_SYSTEM, &e);
    assert_non_null(p);
    struct policy_set *set = policy_set_new(p);
    json_t *labels = json_pack("{s:s}", "team", "odds");
    const double history[] = {1, 2, NAN, 4};
    struct severity_input in = latency(20, 25);
    in.labels = labels;
    in.history = history;
    in.history_len = 4;
    severity_grade(set, "default", "own", &in, &out);
    json_decref(labels);
    policy_set_free(set);
    policies_close(p);
    temp_dir_remove(dir);
    return out;
}

static void sees_all_members(void **state)
{
    (void)state;
    struct severity_grade out = own_grade(
        "assert(r.model_id == 'm:2' and r.name == 'm' and r.version == '2')\n"
        "assert(r.status == 'canary' and r.baseline_model_id == 'm:1' and r.labels.team == "
        "'odds')\n"
        "assert(r.metric == 'latency_p95' and r.kind == 'latency' and r.unit == 'ms')\n"
        "assert(r.better == 'lower' and r.critical == false and r.baseline == 20)\n"
        "assert(r.candidate == 25 and r.delta == 5 and r.delta_ratio == 0.25 and r.margin == 2)\n"
        "assert(r.confidence == nil and r.p_value == 0.0001 and r.test == 'perf')\n"
        "assert(r.samples == 1000 and r.low_sample == false and r.incomparable == false)\n"
        "assert(r.history[1] == 1 and r.history[3] == nil and r.history[4] == 4)\n"
        "assert(env.now > 1700000000000)\n"
        "return 'high', 'seen'");
    assert_string_equal(out.reason, "seen");
    assert_int_equal(out.level, SEVERITY_HIGH);
    assert_false(out.failed);
}

static void failures_mean_medium(void **state)
{
    (void)state;
    static const struct {
        const char *body, *reason;
    } CASES[] = {
        {"error('broken')", "own.lua:1: broken"},
        {"while true do end", "used up its 100000 steps"},
        {"return 'awful', 'x'", "got awful"},
        {"return 3", "got number"},
        {"return 'low'", "a reason"},
        {"r.delta = 0 return 'none', 'x'", "read-only"},
        {"return env.bucket('x'), 'x'", "needs a flag"},
        {") syntax", "own.lua:1:"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct severity_grade out = own_grade(CASES[i].body);
        assert_int_equal(out.level, SEVERITY_MEDIUM);
        assert_true(out.failed);
        if (!strstr(out.reason, CASES[i].reason) || !strstr(out.reason, "hence medium"))
            fail_msg("%s: %s", CASES[i].body, out.reason);
    }
    struct policies *p = catalog();
    struct policy_set *set = policy_set_new(p);
    struct severity_input in = latency(20, 25);
    struct severity_grade out;
    severity_grade(set, "default", "missing", &in, &out);
    assert_int_equal(out.level, SEVERITY_MEDIUM);
    assert_non_null(strstr(out.reason, "no severity policy 'missing'"));
    policy_set_free(set);
    policies_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_grades),
        cmocka_unit_test(the_default_knows_directions),
        cmocka_unit_test(sees_all_members),
        cmocka_unit_test(failures_mean_medium),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
