/* The nursery: tests come from it, share nothing, and outlive it. (That each ends as it would
 * without one is in run.c.) */
#include "support/unit.h"
#include "support/worker.h"
#include "support/worker_case.h"
#include "base/clock.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void one_test_follows_the_other(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t first = nursery_next(worker_case.nursery);
    assert_int_not_equal(first, 0);
    worker_case_expect("misbehave_segv", 10000, WORKER_CRASHED, "SIGSEGV");
    worker_case_expect("misbehave_grandchild", 10000, WORKER_PASSED, "");
    worker_case_expect("misbehave_rubbish", 10000, WORKER_ERROR, "to descriptor 3");
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    assert_int_equal(nursery_next(worker_case.nursery), first);
}

/* It has loaded what they need, and costs those that do not more. */
static void tests_with_a_runtime_come_from_another(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t plain = nursery_next(worker_case.nursery);
    char test[4096], runtime[4096];
    struct test_job job = {
        .plugin_file = test_plugin("good_nothing", test, sizeof test),
        .subject = {.model_id = "m:1",
                    .name = "m",
                    .version = "1",
                    .runtime = "{\"kind\":\"good\"}",
                    .runtime_file = test_plugin("good_runtime", runtime, sizeof runtime)},
        .timeout_ms = 10000};
    struct worker *w = worker_case_job(&job);
    assert_int_equal(worker_result(w)->status, WORKER_PASSED);
    worker_free(w);
    assert_int_not_equal(nursery_next(worker_case.nursery_http), 0);
    assert_int_not_equal(nursery_next(worker_case.nursery_http), plain);
    assert_int_equal(nursery_next(worker_case.nursery), plain);
}

static struct worker *start_plugin(const char *name, int64_t timeout_ms)
{
    char path[4096];
    struct test_job job = {.plugin_file = test_plugin(name, path, sizeof path),
                           .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                           .timeout_ms = timeout_ms};
    struct err e;
    struct worker *w = worker_start(&worker_case, &job, &e);
    if (!w)
        fail_msg("%s", e.detail);
    return w;
}

static void finish(struct worker *w)
{
    while (!worker_done(w)) {
        usleep(1000);
        worker_feed(w, clock_mono_ns(&CLOCK_SYSTEM));
    }
}

/* If one held what belongs to another, the other would not end. */
static void siblings_share_nothing(void **state)
{
    (void)state;
    enum { N = 6 };
    struct worker *first = start_plugin("misbehave_sigterm", 60000), *all[N];
    for (size_t i = 0; i < N; i++)
        all[i] = start_plugin("good_nothing", 60000);
    for (size_t i = 0; i < N; i++) {
        finish(all[i]);
        assert_int_equal(worker_result(all[i])->status, WORKER_PASSED);
        worker_free(all[i]);
    }
    assert_false(worker_done(first));
    worker_cancel(first);
    finish(first);
    assert_true(worker_result(first)->cancelled);
    worker_free(first);
    worker_case_nothing_left();
}

/* It has had a signal, which must not be taken for one of the next test. */
static void who_was_cancelled_does_no_other(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t first = nursery_next(worker_case.nursery);
    struct worker *w = start_plugin("misbehave_sigterm", 60000);
    worker_cancel(w);
    finish(w);
    assert_true(worker_result(w)->cancelled);
    worker_free(w);
    assert_false(nursery_has(worker_case.nursery, first));
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
}

static void one_that_dies_is_replaced(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t first = nursery_next(worker_case.nursery);
    kill(first, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT), 0);
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    assert_false(nursery_has(worker_case.nursery, first));
    assert_int_not_equal(nursery_next(worker_case.nursery), 0);
}

static void from_nowhere_no_nursery_comes(void **state)
{
    (void)state;
    struct nursery *n = nursery_new("/nonexistent/paddock-worker", NURSERY_PLAIN);
    const struct worker_ends ends = {.input = 10, .log = 11, .report = 12};
    struct kept kept;
    assert_false(nursery_take(n, &ends, &kept));
    assert_int_equal(nursery_next(n), 0);
    nursery_free(n);
    n = nursery_new("/bin/true", NURSERY_PLAIN); /* it starts, and is never ready */
    assert_false(nursery_take(n, &ends, &kept));
    assert_int_equal(nursery_next(n), 0);
    nursery_free(n);
    nursery_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_test_follows_the_other),
        cmocka_unit_test(tests_with_a_runtime_come_from_another),
        cmocka_unit_test(siblings_share_nothing),
        cmocka_unit_test(who_was_cancelled_does_no_other),
        cmocka_unit_test(one_that_dies_is_replaced),
        cmocka_unit_test(from_nowhere_no_nursery_comes),
    };
    return cmocka_run_group_tests(tests, worker_case_from_nursery, worker_case_end);
}
