#include "validation/result.h"

#include "base/json.h"
#include "validation/regression.h"

#include "support/unit.h"

#include <math.h>
#include <string.h>

/* A run with something in every member. */
static void fill(struct run *r, struct arena *a)
{
    run_init(r);
    r->run_id = "01JRUN";
    r->model_id = "nba-props:2";
    r->trigger = "nightly";
    r->trial = true;
    r->batch_id = "night-1";
    r->labels = "{\"team\":\"odds\"}";
    r->status = "failed";
    r->complete = true;
    r->subject_fingerprint = "sha256:aa";
    r->queued_at = 1000;
    r->started_at = 2000;
    r->finished_at = 3000;
    r->duration_ms = 1000;
    r->progress = (struct run_progress){2, 2};
    r->baseline = (struct run_baseline){"01JBASE", "nba-props:1"};
    r->severity = "high";
    r->attempts = arena_zero(a, 2 * sizeof *r->attempts);
    r->attempts_len = 2;
    r->attempts[0] = (struct run_attempt){"n1", 1500, 1600, "node_lost"};
    r->attempts[1] = (struct run_attempt){"n2", 2000, 0, NULL};
    r->results = arena_zero(a, 2 * sizeof *r->results);
    r->results_len = 2;
    struct test_result *t = &r->results[0];
    test_result_init(&r->results[1]);
    test_result_init(t);
    t->test_id = "t1";
    t->test_revision = 3;
    t->plugin = (struct result_plugin){"regression", "1.0", "bb"};
    t->config_sha256 = "cc";
    t->seed = -7;
    t->status = "passed";
    t->log = "line\n\"quoted\"";
    t->datasets = arena_zero(a, sizeof *t->datasets);
    t->datasets_len = 1;
    t->datasets[0] = (struct result_dataset){"holdout", "dd"};
    t->checks = arena_zero(a, sizeof *t->checks);
    t->checks_len = 1;
    t->checks[0] = (struct check){"alive", false, "warn", "slow"};
    t->measurements = arena_zero(a, 2 * sizeof *t->measurements);
    t->measurements_len = 2;
    measurement_init(&t->measurements[0]);
    t->measurements[0].name = "accuracy";
    t->measurements[0].value = 0.93;
    t->measurements[1] = (struct measurement){"bias", -0.5, "points", "target", 0.25,
                                              1000,   2.5,  true,     0.02,     {50, 0.1, 3}};
    r->regressions = arena_zero(a, sizeof *r->regressions);
    r->regressions_len = 1;
    r->regressions[0] = (struct regression){.test_id = "t1",
                                            .measurement = "accuracy",
                                            .baseline = 0.95,
                                            .candidate = 0.93,
                                            .delta = -0.02,
                                            .delta_ratio = -0.02 / 0.95,
                                            .confidence = {-0.03, -0.01},
                                            .p_value = 0.001,
                                            .severity = "high",
                                            .policy = "default",
                                            .reason = "worse"};
}

static void a_run_comes_back_whole(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct bytes first = BYTES_INIT(1 << 20), second = BYTES_INIT(1 << 20);
    struct run r, back;
    struct err e = {0};
    fill(&r, a);
    run_encode(&r, NULL, &first);
    assert_true(run_decode(first.data, first.len, a, &back, &e));
    run_encode(&back, NULL, &second);
    assert_string_equal(first.data, second.data);
    assert_int_equal(back.results_len, 2);
    assert_string_equal(back.results[0].log, "line\n\"quoted\"");
    assert_string_equal(back.results[0].plugin.sha256, "bb");
    assert_int_equal(back.results[0].seed, -7);
    assert_true(isnan(back.results[0].measurements[0].variance));
    assert_true(isnan(back.results[0].measurements[0].target));
    assert_true(back.results[0].measurements[1].variance == 2.5);
    assert_int_equal(better_of(back.results[0].measurements[1].better), BETTER_TARGET);
    assert_int_equal(back.attempts[1].ended_at, 0);
    assert_null(back.attempts[1].end);
    assert_true(back.results[0].measurements[1].critical);
    assert_int_equal(back.results[0].measurements[1].pairs.samples, 50);
    bytes_clear(&first);
    run_encode(&r, "odds", &first); /* as the API shows it */
    assert_memory_equal(first.data, "{\"namespace\":\"odds\",\"run_id\":", 29);
    assert_null(strstr(first.data, "pairs"));
    assert_null(strstr(first.data, "critical"));
    assert_true(back.regressions[0].confidence.lo == -0.03);
    assert_string_equal(back.baseline.model_id, "nba-props:1");
    assert_non_null(run_result(&back, "t1"));
    assert_null(run_result(&back, "t2"));
    assert_non_null(result_measurement(&back.results[0], "bias"));
    bytes_release(&first);
    bytes_release(&second);
    arena_free(a);
}

static void an_empty_run_comes_back_too(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct bytes b = BYTES_INIT(1 << 16);
    struct run r, back;
    struct err e = {0};
    run_init(&r);
    run_encode(&r, NULL, &b);
    assert_non_null(strstr(b.data, "\"baseline\":null"));
    assert_non_null(strstr(b.data, "\"duration_ms\":null"));
    assert_non_null(strstr(b.data, "\"results\":[]"));
    assert_true(run_decode(b.data, b.len, a, &back, &e));
    assert_null(back.baseline.run_id);
    assert_true(back.duration_ms == INT64_MIN && back.queued_at == 0);
    assert_int_equal(back.results_len, 0);
    bytes_release(&b);
    arena_free(a);
}

static void damage_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{\"status\":\"sleeping\"}",
        "{\"results\":{}}",
        "{\"results\":[1]}",
        "{\"results\":[{\"measurements\":[{\"value\":\"x\"}]}]}",
        "{\"results\":[{\"checks\":[null]}]}",
        "{\"regressions\":[{\"severity\":\"worst\"}]}",
        "{\"attempts\":[{\"started_at\":true}]}",
        "{\"baseline\":7}",
        "{\"run_id\":\"x\"",
    };
    struct arena *a = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct run r;
        struct err e = {0};
        assert_false(run_decode(texts[i], strlen(texts[i]), a, &r, &e));
        assert_ptr_equal(e.kind, &ERR_CORRUPT);
    }
    struct test_result t;
    struct err e = {0};
    assert_false(test_result_decode("{\"seed\":0.5}", 12, a, &t, &e));
    assert_true(test_result_decode("{\"later\":1}", 11, a, &t, &e)); /* from a newer version */
    arena_free(a);
}

/* Nothing is written past a small arena or past a list's bound. */
static void bounds_hold(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct bytes b = BYTES_INIT(1 << 20);
    struct run r, back;
    struct err e = {0};
    fill(&r, a);
    run_encode(&r, NULL, &b);
    for (size_t size = 64; size < 4096; size *= 2) {
        struct arena *small = arena_new(size);
        if (!run_decode(b.data, b.len, small, &back, &e))
            assert_ptr_equal(e.kind, &ERR_CORRUPT);
        arena_free(small);
    }
    bytes_clear(&b);
    bytes_text(&b, "{\"datasets\":[");
    for (int i = 0; i <= RESULT_DATASETS_MAX; i++)
        bytes_text(&b, i ? ",{}" : "{}");
    bytes_text(&b, "]}");
    struct test_result t;
    assert_false(test_result_decode(b.data, b.len, a, &t, &e));
    bytes_release(&b);
    arena_free(a);
}

static bool reads(const char *text, struct measurement *m, char *pointer, size_t size)
{
    struct arena *a = arena_new(1 << 16);
    struct faults f;
    struct err e = {0};
    faults_init(&f, a);
    json_t *object = json_read(text, strlen(text), &e);
    assert_non_null(object);
    const bool ok = measurement_read(object, "/measurements/0", a, m, &f);
    assert_true(ok == (f.total == 0));
    if (!ok)
        snprintf(pointer, size, "%s", f.list[0].pointer);
    json_decref(object);
    arena_free(a);
    return ok;
}

static void a_plugins_measurement_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pointer;
    } rows[] = {
        {"{\"value\":1}", "/measurements/0/name"},
        {"{\"name\":\"\",\"value\":1}", "/measurements/0/name"},
        {"{\"name\":\"x\"}", "/measurements/0/value"},
        {"{\"name\":\"x\",\"value\":null}", "/measurements/0/value"},
        {"{\"name\":\"x\",\"value\":1,\"samples\":-1}", "/measurements/0/samples"},
        {"{\"name\":\"x\",\"value\":1,\"samples\":2.5}", "/measurements/0/samples"},
        {"{\"name\":\"x\",\"value\":1,\"variance\":-0.1}", "/measurements/0/variance"},
        {"{\"name\":\"x\",\"value\":1,\"better\":\"more\"}", "/measurements/0/better"},
        {"{\"name\":\"x\",\"value\":1,\"better\":\"target\"}", "/measurements/0/target"},
        {"{\"name\":\"x\",\"value\":1,\"vlaue\":2}", "/measurements/0/vlaue"},
    };
    struct measurement m;
    char pointer[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(reads(rows[i].text, &m, pointer, sizeof pointer));
        assert_string_equal(pointer, rows[i].pointer);
    }
    assert_true(reads("{\"name\":\"x\",\"value\":1,\"better\":\"target\",\"target\":0}", &m,
                      pointer, sizeof pointer));
    assert_true(m.target == 0);
    assert_true(reads("{\"name\":\"x\",\"value\":1,\"better\":null}", &m, pointer, sizeof pointer));
    assert_int_equal(better_of(m.better), BETTER_NEITHER);
}

static void a_plugins_check_is_checked(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct faults f;
    struct err e = {0};
    struct check c;
    faults_init(&f, a);
    json_t *good = json_read("{\"name\":\"a\",\"ok\":true}", 22, &e);
    json_t *bad = json_read("{\"name\":\"a\",\"ok\":1,\"level\":\"info\"}", 34, &e);
    assert_true(check_read(good, "", a, &c, &f));
    assert_true(c.ok);
    assert_string_equal(c.level, "fail");
    assert_false(check_read(bad, "", a, &c, &f));
    assert_int_equal(f.total, 2);
    json_decref(good);
    json_decref(bad);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_comes_back_whole),
        cmocka_unit_test(an_empty_run_comes_back_too),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(a_plugins_measurement_is_checked),
        cmocka_unit_test(a_plugins_check_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
