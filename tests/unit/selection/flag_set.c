#include "selection/flag_set.h"

#include "support/flags.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ON_OFF      "\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\""
#define LIST(units) ON_OFF ",\"policy\":\"allowlist\",\"params\":{\"units\":[" units "]}"

static void gives(struct flags_fixture *x, const char *key, const char *context,
                  const char *variant, enum flag_reason reason)
{
    struct flag_answer a = flags_ask(x, key, context);
    if (strcmp(a.variant, variant) != 0 || a.reason != reason)
        fail_msg("%s %s: %s %s %s", key, context, a.variant, flag_reason_name(a.reason),
                 a.error ? a.error : "");
}

/* What a flag gives follows its document: edits, another policy, a new flag of the same key. */
static void follows_the_document(void **state)
{
    (void)state;
    struct flags_fixture x;
    flags_open(&x, NULL);
    flags_put(&x, ENTITY_FLAG, "f", 1, 1, LIST("\"u1\""));
    gives(&x, "f", "{\"targetingKey\":\"u1\"}", "on", FLAG_MATCH);
    gives(&x, "f", "{\"targetingKey\":\"u2\"}", "off", FLAG_DEFAULT);
    flags_put(&x, ENTITY_FLAG, "f", 2, 1, LIST("\"u2\""));
    gives(&x, "f", "{\"targetingKey\":\"u1\"}", "off", FLAG_DEFAULT);
    gives(&x, "f", "{\"targetingKey\":\"u2\"}", "on", FLAG_MATCH);
    flags_put(&x, ENTITY_FLAG, "f", 3, 1,
              ON_OFF ",\"policy\":\"percentage\",\"params\":{\"weights\":{\"on\":100}},"
                     "\"allocation\":[{\"from\":0,\"to\":100000,\"variant\":\"on\"}]");
    gives(&x, "f", "{\"targetingKey\":\"u1\"}", "on", FLAG_SPLIT);
    gives(&x, "f", "{}", "off", FLAG_NO_UNIT);
    flags_put(&x, ENTITY_FLAG, "f", 1, 7, ON_OFF);
    gives(&x, "f", "{}", "off", FLAG_STATIC);
    flags_put(&x, ENTITY_FLAG, "f", 2, 7, ON_OFF ",\"enabled\":false");
    gives(&x, "f", "{}", "off", FLAG_DISABLED);
    flags_put(&x, ENTITY_FLAG, "f", 3, 7,
              ON_OFF ",\"enabled\":false,\"killed\":true,\"fallback_variant\":\"on\"");
    gives(&x, "f", "{}", "on", FLAG_KILLED);
    flags_close(&x);
}

/* After Redis lost a change, another one may have its revision. */
static void a_revision_written_once_more(void **state)
{
    (void)state;
    struct flags_fixture x;
    flags_open(&x, NULL);
    flags_put(&x, ENTITY_FLAG, "f", 2, 1,
              LIST("\"u1\"") ",\"updated_at\":\"2026-11-29T00:00:00.000Z\"");
    gives(&x, "f", "{\"targetingKey\":\"u1\"}", "on", FLAG_MATCH);
    flags_put(&x, ENTITY_FLAG, "f", 2, 1,
              LIST("\"u2\"") ",\"updated_at\":\"2026-11-29T00:00:05.000Z\"");
    gives(&x, "f", "{\"targetingKey\":\"u1\"}", "off", FLAG_DEFAULT);
    gives(&x, "f", "{\"targetingKey\":\"u2\"}", "on", FLAG_MATCH);
    flags_close(&x);
}

static void segments_and_prerequisites(void **state)
{
    (void)state;
    struct flags_fixture x;
    flags_open(&x, NULL);
    flags_put(&x, ENTITY_FLAG, "inner", 1, 0,
              ON_OFF ",\"policy\":\"allowlist\",\"params\":{\"segments\":[\"staff\"]}");
    flags_put(&x, ENTITY_FLAG, "outer", 1, 0,
              "\"variants\":{\"no\":\"n\",\"yes\":\"y\"},\"default_variant\":\"no\","
              "\"policy\":\"allowlist\",\"params\":{\"units\":[\"u1\",\"u2\"],\"variant\":\"yes\"},"
              "\"prerequisites\":[{\"flag\":\"inner\",\"variants\":[\"on\"]}]");
    gives(&x, "outer", "{\"targetingKey\":\"u1\"}", "no", FLAG_DEFAULT);
    flags_put(&x, ENTITY_SEGMENT, "staff", 1, 0, "\"units\":[\"u1\",\"u3\"]");
    gives(&x, "inner", "{\"targetingKey\":\"u1\"}", "on", FLAG_MATCH);
    gives(&x, "outer", "{\"targetingKey\":\"u1\"}", "yes", FLAG_MATCH);
    gives(&x, "outer", "{\"targetingKey\":\"u2\"}", "no", FLAG_DEFAULT);
    gives(&x, "outer", "{\"targetingKey\":\"u3\"}", "no", FLAG_DEFAULT);
    assert_string_equal(flags_ask(&x, "outer", "{\"targetingKey\":\"u2\"}").note,
                        "the prerequisite 'inner' is not met");
    flags_close(&x);
}

/* Each of some levels needs the one below it sixteen times over: every flag is asked once. */
static void a_prerequisite_is_asked_once(void **state)
{
    enum { LEVELS = 14 };
    (void)state;
    struct flags_fixture x;
    struct bytes b = BYTES_INIT(8192);
    char key[16];
    flags_open(&x, NULL);
    flags_put(&x, ENTITY_FLAG, "level-0", 1, 0, LIST("\"u1\""));
    for (int i = 1; i <= LEVELS; i++) {
        bytes_clear(&b);
        bytes_text(&b, ON_OFF ",\"policy\":\"allowlist\",\"params\":{\"units\":[\"u1\",\"u2\"]},"
                              "\"prerequisites\":[");
        for (int k = 0; k < 16; k++)
            bytes_printf(&b, "%s{\"flag\":\"level-%d\",\"variants\":[\"on\"]}", k ? "," : "",
                         i - 1);
        bytes_char(&b, ']');
        snprintf(key, sizeof key, "level-%d", i);
        flags_put(&x, ENTITY_FLAG, key, 1, 0, b.data);
    }
    gives(&x, key, "{\"targetingKey\":\"u1\"}", "on", FLAG_MATCH);
    gives(&x, key, "{\"targetingKey\":\"u2\"}", "off", FLAG_DEFAULT);
    assert_string_equal(flags_ask(&x, key, "{\"targetingKey\":\"u2\"}").note,
                        "the prerequisite 'level-13' is not met");
    bytes_release(&b);
    flags_close(&x);
}

static double share_of(struct flags_fixture *x, const char *key, const char *unit)
{
    char context[64];
    snprintf(context, sizeof context, "{\"targetingKey\":\"%s\"}", unit);
    return flags_ask(x, key, context).share;
}

#define HALVES(more)                                                                       \
    ON_OFF ",\"policy\":\"percentage\",\"params\":{\"weights\":{\"on\":50,\"off\":50}},"   \
           "\"allocation\":[{\"from\":0,\"to\":50000,\"variant\":\"on\"},{\"from\":50000," \
           "\"to\":100000,\"variant\":\"off\"}]" more

/* Of all units: a layer's part counts, and what cannot be known is not said. */
static void shares_of_all_units(void **state)
{
    (void)state;
    struct flags_fixture x;
    flags_open(&x, NULL);
    flags_put(&x, ENTITY_LAYER, "l", 1, 0, "\"ranges\":[{\"flag\":\"f\",\"from\":0,\"to\":20000}]");
    flags_put(&x, ENTITY_FLAG, "plain", 1, 1, HALVES(""));
    flags_put(&x, ENTITY_FLAG, "f", 1, 2, HALVES(",\"layer\":\"l\""));
    flags_put(&x, ENTITY_FLAG, "static", 1, 3, ON_OFF);
    flags_put(
        &x, ENTITY_FLAG, "after", 1, 4,
        LIST("\"u1\"") ",\"prerequisites\":[{\"flag\":\"plain\",\"variants\":[\"on\",\"off\"]}]");
    assert_true(share_of(&x, "plain", "u1") == 0.5);
    assert_true(share_of(&x, "static", "u1") == 1);
    assert_true(isnan(share_of(&x, "after", "u1"))); /* its prerequisite is drawn */
    bool seen[3] = {false};
    for (int i = 0; i < 200; i++) {
        char unit[16], context[64];
        snprintf(unit, sizeof unit, "u%d", i);
        snprintf(context, sizeof context, "{\"targetingKey\":\"%s\"}", unit);
        struct flag_answer a = flags_ask(&x, "f", context);
        const int which = a.reason == FLAG_DEFAULT ? 0 : strcmp(a.variant, "on") == 0 ? 1 : 2;
        seen[which] = true;
        if (which == 0)
            assert_true(isnan(a.share)); /* the policy was not asked */
        else
            assert_float_equal(a.share, which == 1 ? 0.1 : 0.9, 1e-12);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    flags_close(&x);
}

static void put_policy(const char *dir, const char *name, const char *text)
{
    char path[TEMP_DIR_SIZE + 64], fresh[TEMP_DIR_SIZE + 72];
    snprintf(path, sizeof path, "%s/rollout/%s.lua", dir, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

/* A policy that breaks costs its own flags the decision and no other anything; repaired, it decides
 * again. */
static void a_broken_policy_harms_no_other(void **state)
{
    (void)state;
    static const char GOOD[] =
        "return { summary = 's', params = { v = { type = 'string', default = 'on' } },\n"
        "decide = function(flag) return flag.params.v end }";
    struct flags_fixture x;
    char dir[TEMP_DIR_SIZE], folder[TEMP_DIR_SIZE + 16];
    temp_dir_make(dir);
    snprintf(folder, sizeof folder, "%s/rollout", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_policy(dir, "mine", GOOD);
    flags_open(&x, dir);
    flags_put(&x, ENTITY_FLAG, "a", 1, 0, ON_OFF ",\"policy\":\"mine\"");
    flags_put(&x, ENTITY_FLAG, "b", 1, 0, LIST("\"u1\""));
    flags_put(&x, ENTITY_FLAG, "c", 1, 0, ON_OFF ",\"policy\":\"none\"");
    gives(&x, "a", "{}", "on", FLAG_MATCH);
    gives(&x, "c", "{}", "off", FLAG_ERROR);
    put_policy(dir, "mine",
               "return { summary = 'it fails', decide = function() error('why') end }");
    policies_scan(x.catalog);
    gives(&x, "a", "{}", "off", FLAG_ERROR);
    assert_non_null(strstr(flags_ask(&x, "a", "{}").error, "rollout/mine.lua:1: why"));
    gives(&x, "b", "{\"targetingKey\":\"u1\"}", "on", FLAG_MATCH);
    put_policy(dir, "mine",
               "return { summary = 'endless', decide = function() while true do end end }");
    policies_scan(x.catalog);
    gives(&x, "a", "{}", "off", FLAG_ERROR);
    gives(&x, "a", "{}", "off", FLAG_ERROR);
    put_policy(dir, "mine",
               "return { summary = 'now it wants more', params = { must = { type = "
               "'string', required = true } }, decide = function() end }");
    policies_scan(x.catalog);
    gives(&x, "a", "{}", "off", FLAG_ERROR);
    assert_non_null(strstr(flags_ask(&x, "a", "{}").error, "/params/must is required"));
    put_policy(dir, "mine", GOOD);
    policies_scan(x.catalog);
    gives(&x, "a", "{}", "on", FLAG_MATCH);
    flags_close(&x);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_document),
        cmocka_unit_test(a_revision_written_once_more),
        cmocka_unit_test(segments_and_prerequisites),
        cmocka_unit_test(a_prerequisite_is_asked_once),
        cmocka_unit_test(shares_of_all_units),
        cmocka_unit_test(a_broken_policy_harms_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
