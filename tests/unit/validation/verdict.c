/* What a run says at its end, of tests that really ran. */
#include "support/house.h"

#include "registry/validation_summary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOON INT64_C(1764244800000) /* 2025-11-27T12:00:00Z */

static void assert_result(const struct run *r, const char *test_id, const char *status,
                          const char *message)
{
    const struct test_result *t = run_result(r, test_id);
    if (!t)
        fail_msg("no result of %s", test_id);
    if (strcmp(t->status, status) != 0 || (message && !strstr(t->message, message)))
        fail_msg("%s: %s, wanted %s: '%s'\n%s", test_id, t->status, status, t->message, t->log);
}

static void each_end_is_told_apart(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    house_model(h, "m", NULL);
    house_test(h, "good", "m", "test.nothing", "");
    house_run_whole(h, "m:1", a, &r);
    assert_result(&r, "good", "passed", NULL);
    assert_string_equal(r.status, "passed");
    assert_string_equal(r.severity, "none");
    assert_true(r.complete);
    assert_int_equal(r.attempts_len, 1);
    assert_string_equal(r.attempts[0].end, "done");
    house_test(h, "lies", "m", "test.exit", "");
    house_test(h, "crashes", "m", "test.segv", "");
    house_test(h, "hangs", "m", "test.loop", "\"timeout_ms\":1000");
    house_run_whole(h, "m:1", a, &r);
    assert_int_equal(r.results_len, 4);
    assert_result(&r, "good", "passed", NULL);
    assert_result(&r, "crashes", "crashed", "SIGSEGV");
    assert_result(&r, "hangs", "timeout", "1000 ms");
    assert_true(strcmp(run_result(&r, "lies")->status, "passed") != 0);
    assert_true(strcmp(r.status, "passed") != 0);
    for (size_t i = 1; i < r.results_len; i++) /* in the order of their ids */
        assert_true(strcmp(r.results[i - 1].test_id, r.results[i].test_id) < 0);
    assert_int_equal(r.progress.done, 4);
    arena_free(a);
}

/* The model's summary names the newest run that counts: neither a trial nor one of some tests. */
static void summary_of(struct house *h, char complete[129], char last[129])
{
    struct view_reader *reader = engine_join(h->engine);
    const struct view *v = view_enter(reader);
    const struct validation_summary *s = view_validation(v, view_model(v, "default", "m:1"));
    snprintf(complete, 129, "%s", s && s->complete.run_id ? s->complete.run_id : "");
    snprintf(last, 129, "%s", s && s->last.run_id ? s->last.run_id : "");
    view_leave(reader);
    engine_part(reader);
}

static void only_what_counts_is_told(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run_wish trial = {.trial = true}, part = {.types = "[\"test.loop\"]"};
    struct run r;
    char complete[129], last[129];
    house_model(h, "m", NULL);
    house_test(h, "t1", "m", "test.nothing", "");
    house_test(h, "t2", "m", "test.loop", "\"timeout_ms\":500");
    house_run(h, "m:1", &trial);
    house_read(h, trial.run_id, a, &r);
    summary_of(h, complete, last);
    assert_string_equal(last, "");
    house_run(h, "m:1", &part);
    house_read(h, part.run_id, a, &r);
    assert_int_equal(r.results_len, 1);
    assert_string_equal(r.results[0].test_id, "t2");
    assert_false(r.complete);
    summary_of(h, complete, last);
    assert_string_equal(last, part.run_id);
    assert_string_equal(complete, "");
    house_run_whole(h, "m:1", a, &r);
    assert_true(r.complete);
    summary_of(h, complete, last);
    assert_string_equal(complete, r.run_id);
    assert_string_equal(last, r.run_id);
    arena_free(a);
}

/* What cannot be carried out is an error with its reason, beside what can. */
static void what_cannot_be_planned_says_why(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    char path[4096];
    house_model(h, "m", NULL);
    house_test(h, "t1", "m", "test.nothing", "");
    house_test(h, "t2", "m", "test.segv", "");
    house_test(h, "t3", "m", "test.nothing", "\"enabled\":false");
    snprintf(path, sizeof path, "%s/misbehave_segv.so", h->plugins);
    assert_int_equal(unlink(path), 0);
    catalog_reload(h->catalog);
    house_run_whole(h, "m:1", a, &r);
    assert_int_equal(r.results_len, 2);
    assert_result(&r, "t1", "passed", NULL);
    assert_result(&r, "t2", "error", "test.segv");
    assert_string_equal(r.status, "error");
    arena_free(a);
}

static int set_up(void **state)
{
    static const char *const PLUGINS[] = {"good_nothing", "misbehave_loop", "misbehave_exit",
                                          "misbehave_segv", NULL};
    return house_set_up(state, PLUGINS, NOON);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_end_is_told_apart),
        TEST(only_what_counts_is_told),
        TEST(what_cannot_be_planned_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
