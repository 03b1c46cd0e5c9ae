/* The rules of a record, each with what its fault says. */
#include "telemetry/scanner.h"

#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NOW    INT64_C(1795399200000) /* 2026-11-23T02:00:00Z */
#define OLDEST (NOW - 90 * INT64_C(86400000))

struct fixture {
    struct arena *arena;
    struct faults faults;
    struct scanner scanner;
    struct record record;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.arena = arena_new(1 << 20);
    scanner_init(&f.scanner);
    f.scanner.faults = &f.faults;
    f.scanner.now_ms = NOW;
    f.scanner.oldest_ms = OLDEST;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    scanner_release(&f->scanner);
    arena_free(f->arena);
    return 0;
}

static bool scan(struct fixture *f, const char *text)
{
    arena_reset(f->arena);
    faults_init(&f->faults, f->arena);
    const char *end = text + strlen(text);
    const char *after = scanner_record(&f->scanner, text, end, &f->record);
    return after == end && !f->scanner.refused;
}

static const struct record *good(struct fixture *f, const char *text)
{
    if (!scan(f, text))
        fail_msg("refused: %s: %s %s", text, f->faults.total ? f->faults.list[0].pointer : "",
                 f->faults.total ? f->faults.list[0].detail : f->scanner.why);
    return &f->record;
}

static void bad(struct fixture *f, const char *text, const struct err_kind *kind,
                const char *pointer, const char *detail)
{
    assert_false(scan(f, text));
    if (f->faults.total != 1 || f->faults.list[0].kind != kind ||
        strcmp(f->faults.list[0].pointer, pointer) != 0 ||
        strcmp(f->faults.list[0].detail, detail) != 0)
        fail_msg("%s: %zu faults, '%s' '%s'", text, f->faults.total,
                 f->faults.total ? f->faults.list[0].pointer : "",
                 f->faults.total ? f->faults.list[0].detail : "");
}

static void invalid(struct fixture *f, const char *text, const char *pointer, const char *detail)
{
    bad(f, text, &ERR_INVALID, pointer, detail);
}

static void broken(struct fixture *f, const char *text, size_t where)
{
    arena_reset(f->arena);
    faults_init(&f->faults, f->arena);
    assert_null(scanner_record(&f->scanner, text, text + strlen(text), &f->record));
    if ((size_t)(f->scanner.where - text) != where)
        fail_msg("%s: at %zu: %s", text, (size_t)(f->scanner.where - text), f->scanner.why);
}

static void test_minimal(void **state)
{
    const struct record *r = good(*state, "{\"latency_ms\":12.5}");
    assert_true(r->latency_ms == 12.5);
    assert_true(r->timestamp == NOW);
    assert_false(r->failure);
    assert_false(r->skewed);
    assert_null(r->error_type.text);
    assert_null(r->model_id.text);
    assert_int_equal(r->n_scores, 0);
}

static void test_latency(void **state)
{
    static const char must[] = "must be a number from 0 to 86400000, got ";
    struct fixture *f = *state;
    char detail[200];
    static const char *const values[][2] = {{"-3", "-3"},        {"86400000.1", "86400000.1"},
                                            {"1e400", "1e400"},  {"null", "null"},
                                            {"true", "true"},    {"\"12\"", "a string"},
                                            {"[1]", "an array"}, {"{\"a\":{}}", "an object"}};
    assert_true(good(f, "{\"latency_ms\":0}")->latency_ms == 0);
    assert_true(good(f, "{\"latency_ms\":86400000}")->latency_ms == 86400000);
    assert_false(signbit(good(f, "{\"latency_ms\":-0.0}")->latency_ms));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"latency_ms\":%s}", values[i][0]);
        snprintf(detail, sizeof detail, "%s%s", must, values[i][1]);
        invalid(f, text, "/latency_ms", detail);
    }
    invalid(f, "{\"success\":true}", "/latency_ms", "is required");
    invalid(f, "{}", "/latency_ms", "is required");
}

static void test_success(void **state)
{
    struct fixture *f = *state;
    assert_false(good(f, "{\"latency_ms\":1,\"success\":true}")->failure);
    assert_false(good(f, "{\"latency_ms\":1,\"success\":null}")->failure);
    assert_true(good(f, "{\"success\":false,\"latency_ms\":1}")->failure);
    invalid(f, "{\"latency_ms\":1,\"success\":1}", "/success", "must be true or false, got 1");
    invalid(f, "{\"latency_ms\":1,\"success\":\"true\"}", "/success",
            "must be true or false, got a string");
}

static void test_error_type(void **state)
{
    struct fixture *f = *state;
    const struct record *r =
        good(f, "{\"error_type\":\"time\\u00f6ut\",\"latency_ms\":1,\"success\":false}");
    assert_int_equal(r->error_type.len, 8);
    assert_memory_equal(r->error_type.text, "timeöut", 8);
    assert_null(
        good(f, "{\"latency_ms\":1,\"success\":true,\"error_type\":null}")->error_type.text);
    invalid(f, "{\"latency_ms\":1,\"success\":true,\"error_type\":\"x\"}", "/error_type",
            "may only be given with \"success\":false");
    invalid(f, "{\"latency_ms\":1,\"error_type\":\"x\"}", "/error_type",
            "may only be given with \"success\":false");
    invalid(f, "{\"latency_ms\":1,\"success\":false,\"error_type\":7}", "/error_type",
            "must be a string of at most 64 characters, got 7");
    char text[400] = "{\"latency_ms\":1,\"success\":false,\"error_type\":\"";
    for (int i = 0; i < 64; i++)
        memcpy(text + strlen(text), "ö", 3);
    size_t len = strlen(text);
    memcpy(text + len, "\"}", 3);
    assert_int_equal(good(f, text)->error_type.len, 128);
    memcpy(text + len, "x\"}", 4);
    invalid(f, text, "/error_type", "must be a string of at most 64 characters");
}

static void test_timestamp(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {{"\"2026-11-23T02:00:00.000Z\"", NOW},
                 {"\"2026-11-23T01:59:07.123Z\"", NOW - 53000 + 123},
                 {"\"2026-11-23T01:59:08.124Z\"", NOW - 52000 + 124}, /* the same minute again */
                 {"\"2026-11-23T01:59:59Z\"", NOW - 1000},
                 {"\"2026-11-23T03:59:59.5+02:00\"", NOW - 500},
                 {"\"2026-11-23T01:59:59.999999999Z\"", NOW - 1},
                 {"1795399199000", NOW - 1000},
                 {"1795399199000.75", NOW - 1000},
                 {"1.7953992e12", NOW},
                 {"null", NOW}};
    char text[200];
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%s}", times[i].text);
        if (good(f, text)->timestamp != times[i].ms)
            fail_msg("%s: %lld", times[i].text, (long long)f->record.timestamp);
    }
    static const char *const none[] = {
        "\"2026-11-23T01:59:60.000Z\"", "\"2026-11-23T01:59:0x.000Z\"",
        "\"2026-11-23 01:59:00.000Z\"", "\"\"", "\"2026-11-31T00:00:00Z\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%s}", none[i]);
        invalid(f, text, "/timestamp", "must be an RFC 3339 time or epoch milliseconds");
    }
    invalid(f, "{\"latency_ms\":1,\"timestamp\":true}", "/timestamp",
            "must be an RFC 3339 time or epoch milliseconds, got true");
    invalid(f, "{\"latency_ms\":1,\"timestamp\":-5}", "/timestamp",
            "must be an RFC 3339 time or epoch milliseconds, got -5");
}

static void test_time_limits(void **state)
{
    struct fixture *f = *state;
    char text[200];
    snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%lld}", (long long)OLDEST);
    assert_true(good(f, text)->timestamp == OLDEST);
    snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%lld}", (long long)OLDEST - 1);
    invalid(f, text, "/timestamp",
            "is older than the retention, which reaches back to 2026-08-25T02:00:00.000Z");
    snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%lld}", (long long)NOW + 300000);
    assert_true(good(f, text)->timestamp == NOW + 300000);
    assert_false(f->record.skewed);
    snprintf(text, sizeof text, "{\"latency_ms\":1,\"timestamp\":%lld}", (long long)NOW + 300001);
    assert_true(good(f, text)->timestamp == NOW);
    assert_true(f->record.skewed);
}

static void test_scores(void **state)
{
    struct fixture *f = *state;
    const struct record *r = good(f, "{\"latency_ms\":1,\"scores\":{\"brier\":0.18,\"auc\":-1e3}}");
    assert_int_equal(r->n_scores, 2);
    assert_memory_equal(r->scores[0].name.text, "brier", 5);
    assert_true(r->scores[0].value == 0.18 && r->scores[1].value == -1000);
    r = good(f, "{\"score\":0.5,\"latency_ms\":1}");
    assert_int_equal(r->n_scores, 1);
    assert_memory_equal(r->scores[0].name.text, "score", 5);
    assert_int_equal(good(f, "{\"latency_ms\":1,\"scores\":{}}")->n_scores, 0);
    assert_int_equal(good(f, "{\"latency_ms\":1,\"scores\":null,\"score\":3}")->n_scores, 1);
    assert_int_equal(good(f, "{\"latency_ms\":1,\"score\":null,\"scores\":{\"a\":3}}")->n_scores,
                     1);
    invalid(f, "{\"latency_ms\":1,\"score\":1,\"scores\":{\"a\":1}}", "/score",
            "is short for \"scores\":{\"score\":x}: give one of both");
    invalid(f, "{\"latency_ms\":1,\"scores\":{\"a/b~c\":\"x\"}}", "/scores/a~1b~0c",
            "must be a finite number, got a string");
    invalid(f, "{\"latency_ms\":1,\"scores\":{\"a\":1e999}}", "/scores/a",
            "must be a finite number, got 1e999");
    invalid(f, "{\"latency_ms\":1,\"scores\":{\"\":1}}", "/scores",
            "names must have 1 to 128 characters");
    invalid(f, "{\"latency_ms\":1,\"scores\":[1]}", "/scores",
            "must be an object of at most 16 finite numbers, got an array");
    invalid(f, "{\"latency_ms\":1,\"score\":\"x\"}", "/score",
            "must be a finite number, got a string");
    bad(f, "{\"latency_ms\":1,\"scores\":{\"a\":1,\"\\u0061\":2}}", &ERR_MALFORMED_JSON, "",
        "a name in \"scores\" is given twice");
}

static void test_many_scores(void **state)
{
    struct fixture *f = *state;
    char text[1000] = "{\"latency_ms\":1,\"scores\":{";
    for (int i = 0; i < 16; i++)
        snprintf(text + strlen(text), 20, "%s\"s%d\":%d", i ? "," : "", i, i);
    size_t len = strlen(text);
    memcpy(text + len, "}}", 3);
    assert_int_equal(good(f, text)->n_scores, 16);
    memcpy(text + len, ",\"x\":1}}", 9);
    invalid(f, text, "/scores", "must be an object of at most 16 finite numbers, got an object");
}

static void test_other_fields(void **state)
{
    struct fixture *f = *state;
    const struct record *r =
        good(f, "{\"model_id\":\"a\\/b\",\"decision_id\":\"d\",\"latency_ms\":1}");
    assert_int_equal(r->model_id.len, 3);
    assert_memory_equal(r->model_id.text, "a/b", 3);
    invalid(f, "{\"latency_ms\":1,\"decision_id\":5}", "/decision_id",
            "must be a string of at most 512 characters, got 5");
    bad(f, "{\"latency_ms\":1,\"latncy\":2}", &ERR_UNKNOWN_FIELD, "/latncy",
        "an inference record has no such field");
    bad(f, "{\"latency_ms\":1,\"a~/\":{\"b\":[1,2,{}]}}", &ERR_UNKNOWN_FIELD, "/a~0~1",
        "an inference record has no such field");
    bad(f, "{\"latency_ms\":1,\"latency_ms\":1}", &ERR_MALFORMED_JSON, "",
        "a field is given twice");
    bad(f, "{\"latency_ms\":1,\"latency\\u005fms\":1}", &ERR_MALFORMED_JSON, "",
        "a field is given twice");
    assert_true(good(f, "{\"latency\\u005fms\":4}")->latency_ms == 4);
    invalid(f, "[1]", "", "must be an object, got an array");
    invalid(f, "7", "", "must be an object, got 7");
}

/* All faults of a record are found in one pass. */
static void test_several(void **state)
{
    struct fixture *f = *state;
    assert_false(scan(f, "{\"latency_ms\":-1,\"success\":3,\"foo\":1,\"scores\":{\"a\":null}}"));
    assert_int_equal(f->faults.total, 4);
    f->scanner.indexed = true;
    f->scanner.index = 17;
    assert_false(scan(f, "{\"latency_ms\":-1}"));
    f->scanner.indexed = false;
    assert_string_equal(f->faults.list[0].pointer, "/17/latency_ms");
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;
    broken(f, "{\"latency_ms\":1", 15);
    broken(f, "{\"latency_ms\" 1}", 14);
    broken(f, "{\"latency_ms\":1,}", 16);
    broken(f, "{latency_ms:1}", 1);
    broken(f, "{\"latency_ms\":01}", 14);
    broken(f, "{\"latency_ms\":1 \"success\":true}", 16);
    broken(f, "{\"latency_ms\":NaN}", 14);
    broken(f, "{\"latency_ms\":1,\"success\":tru}", 26);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"a", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\\x\"}", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\\ud800\"}", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\\u0000\"}", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\xff\"}", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\xed\xa0\x80\"}", 27);
    broken(f, "{\"latency_ms\":1,\"model_id\":\"\t\"}", 27);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_minimal),    TEST(test_latency),     TEST(test_success),
        TEST(test_error_type), TEST(test_timestamp),   TEST(test_time_limits),
        TEST(test_scores),     TEST(test_many_scores), TEST(test_other_fields),
        TEST(test_several),    TEST(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
