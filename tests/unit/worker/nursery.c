/* The nursery: tests come from it, share nothing, and outlive it. (That each ends as it would
 * without one is in run.c.) */
#include "support/unit.h"
#include "support/worker.h"
#include "support/worker_case.h"
#include "base/clock.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Descriptors of a process that hold a mount namespace; -1: we may not look. */
static int mounts_held(pid_t pid)
{
    char path[64], target[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        ssize_t len = readlinkat(dirfd(dir), d->d_name, target, sizeof target);
        n += len > 4 && memcmp(target, "mnt:", 4) == 0;
    }
    closedir(dir);
    return n;
}

/* It keeps the mounts of its test, so that its end need not wait for theirs, but not for long: what
 * the test wrote to its memory disk goes with them. */
static void mounts_of_a_test_end_after_it(void **state)
{
    (void)state;
    int held = 0;
    for (int i = 0; i < 3; i++)
        worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    const pid_t first = nursery_next(worker_case.nursery);
    for (int i = 0; i < 2000 && (held = mounts_held(first)) > 0; i++)
        usleep(1000);
    if (held < 0)
        skip();
    assert_int_equal(held, 0);
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

/* The second stage that waits for a test below `first`: it is made after the test before. */
static pid_t await_prepared(pid_t first)
{
    char path[64];
    pid_t pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)first, (int)first);
    for (int i = 0; i < 60000 && pid == 0; i++) {
        FILE *children = fopen(path, "r");
        if (children && fscanf(children, "%d", &pid) != 1)
            usleep(1000);
        if (children)
            fclose(children);
    }
    assert_int_not_equal(pid, 0);
    return pid;
}

/* The one that waited for a test has nobody left, so it ends, with their directory. */
static void one_that_dies_is_replaced(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t first = nursery_next(worker_case.nursery), second = await_prepared(first);
    kill(first, SIGKILL);
    siginfo_t info;
    int status;
    assert_int_equal(waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(waitpid(second, &status, 0), second); /* inherited by us */
    assert_true(WIFEXITED(status));
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    assert_false(nursery_has(worker_case.nursery, first));
    assert_int_not_equal(nursery_next(worker_case.nursery), 0);
}

/* Dead, but not waited for: the first stage looks only when it needs it. */
/* Of all its threads: ThreadSanitizer has one of its own, which still hears when the first is dead.
 */
static void await_death(pid_t pid)
{
    char path[64], state = 0;
    int threads = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 60000 && (state != 'Z' || threads > 1); i++) {
        FILE *stat = fopen(path, "r");
        assert_non_null(stat);
        assert_int_equal(fscanf(stat,
                                "%*d (%*[^)]) %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                                "%*u %*u %*d %*d %*d %*d %d",
                                &state, &threads),
                         2);
        fclose(stat);
        usleep(1000);
    }
    assert_int_equal(state, 'Z');
    assert_true(threads <= 1);
}

static void a_second_stage_that_dies_waiting_is_replaced(void **state)
{
    (void)state;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    pid_t first = nursery_next(worker_case.nursery), second = await_prepared(first);
    kill(second, SIGKILL);
    await_death(second);
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    assert_true(nursery_has(worker_case.nursery, first));
    assert_int_not_equal(await_prepared(first), second);
}

/* What was made ready for one directory is of no use in another. */
static void the_directory_may_change(void **state)
{
    (void)state;
    char other[] = "/tmp/paddock-other-XXXXXX";
    const char *before = worker_case.scratch_dir;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    (void)await_prepared(nursery_next(worker_case.nursery));
    assert_non_null(mkdtemp(other));
    assert_int_equal(chmod(other, 0755), 0);
    worker_case.scratch_dir = other;
    struct worker *w = start_plugin("good_nothing", 60000);
    finish(w);
    assert_int_equal(worker_result(w)->status, WORKER_PASSED);
    worker_free(w);
    worker_case.scratch_dir = before;
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
    assert_int_equal(rmdir(other), 0);
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
        cmocka_unit_test(mounts_of_a_test_end_after_it),
        cmocka_unit_test(tests_with_a_runtime_come_from_another),
        cmocka_unit_test(siblings_share_nothing),
        cmocka_unit_test(who_was_cancelled_does_no_other),
        cmocka_unit_test(one_that_dies_is_replaced),
        cmocka_unit_test(a_second_stage_that_dies_waiting_is_replaced),
        cmocka_unit_test(the_directory_may_change),
        cmocka_unit_test(from_nowhere_no_nursery_comes),
    };
    return cmocka_run_group_tests(tests, worker_case_from_nursery, worker_case_end);
}
