/* paddock-worker as the host sees it: every way in which a test can end, told apart, and nothing
 * left behind: no process, no directory. All of it twice: started anew, and from the nursery. */
#include <paddock/plugin.h> /* before cmocka, which has macros of common names */

#include "support/unit.h"
#include "support/worker.h"
#include "support/worker_case.h"
#include "base/clock.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- good ones ---- */

static void a_test_passes(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("good_nothing", 10000);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_PASSED);
    assert_string_equal(r->plugin_id, "test.nothing");
    assert_string_equal(r->plugin_version, "1.0.0");
    assert_int_equal(r->n_checks, 1);
    assert_string_equal(r->checks[0].name, "ran");
    assert_string_equal(r->checks[0].detail, "it ran");
    assert_true(r->checks[0].ok && !r->checks[0].warn && r->left_behind == 0);
    worker_free(w);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void everything_the_host_offers(void **state)
{
    (void)state;
    char path[4096], runtime[4096], csv[300];
    snprintf(csv, sizeof csv, "%s.csv", worker_case_dir);
    put_file(csv, "a,b,y\n1,2,0\n,4,1\n5,6,1\n");
    const struct job_dataset data[] = {{.name = "holdout", .path = csv, .label = "y"}};
    test_plugin("good_runtime", runtime, sizeof runtime);
    const struct job_model baseline = {.model_id = "m:1",
                                       .name = "m",
                                       .version = "1",
                                       .status = "stable",
                                       .runtime = "{\"kind\":\"test.sum\",\"fails\":true}",
                                       .runtime_file = runtime};
    struct test_job job = {
        .plugin_file = test_plugin("good_everything", path, sizeof path),
        .test_id = "t1",
        .name = "everything",
        .config = "{\"count\":7,\"mode\":\"median\",\"data\":\"holdout\",\"wait_ms\":50,"
                  "\"cases\":[{\"x\":1},{\"x\":-4,\"note\":\"n\"}]}",
        .datasets = data,
        .n_datasets = 1,
        .subject = {.model_id = "m:2",
                    .name = "m",
                    .version = "2",
                    .status = "canary",
                    .runtime = "{\"kind\":\"test.sum\"}",
                    .runtime_file = runtime},
        .baseline = &baseline,
        .seed = 42,
        .timeout_ms = 60000,
    };
    struct worker *w = worker_case_job(&job);
    const struct worker_result *r = worker_result(w);
    for (size_t i = 0; i < r->n_checks; i++)
        if (!r->checks[i].ok && !r->checks[i].warn)
            print_error("%s: %s\n", r->checks[i].name, r->checks[i].detail);
    if (r->status != WORKER_PASSED)
        fail_msg("%s: %s\n%s", WORKER_STATUS_NAMES[r->status], r->message, r->log);
    assert_non_null(strstr(r->message, "1 warnings"));
    assert_string_equal(r->plugin_version, "1.2.3");
    assert_int_equal(r->n_measurements, 2);
    const struct worker_measurement *m = &r->measurements[0];
    assert_string_equal(m->name, "accuracy");
    assert_string_equal(m->unit, "1");
    assert_true(m->value == 0.5 && m->variance == 1.5 && m->margin_ratio == 0.01 && m->critical);
    assert_int_equal(m->better, PADDOCK_HIGHER);
    assert_int_equal(m->samples, 3);
    assert_int_equal(m->n_values, 3);
    assert_true(m->values[2] == 3.5 && m->baseline_values[2] == 3);
    uint64_t seed = 42;
    assert_true(r->measurements[1].value == paddock_uniform(&seed));
    assert_true(isnan(r->measurements[1].variance));
    assert_null(r->measurements[1].unit);
    assert_non_null(strstr(r->log, "to stdout"));
    assert_non_null(strstr(r->log, "to the log 42"));
    assert_true(r->duration_ms >= 50);
    worker_free(w);
    unlink(csv);
}

/* ---- misbehaving ones ---- */

static void crashes_name_their_signal(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("misbehave_segv", 10000);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_CRASHED);
    assert_int_equal(r->signal, SIGSEGV);
    assert_non_null(strstr(r->message, "SIGSEGV"));
    assert_non_null(strstr(r->message, "address 0x0"));
    assert_non_null(strstr(r->message, "in the plugin at offset"));
    assert_int_equal(r->n_checks, 1); /* what had been reported is kept */
    worker_free(w);
    worker_case_expect("misbehave_abort", 10000, WORKER_CRASHED, "SIGABRT");
    worker_case_expect("misbehave_stack", 10000, WORKER_CRASHED, "SIGSEGV");
    worker_case_expect("misbehave_constructor", 10000, WORKER_CRASHED,
                       "SIGSEGV while it was loaded");
}

static void deadlines_hold(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("misbehave_loop", 2000);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_TIMEOUT);
    assert_string_equal(r->message, "it was not over after 2000 ms");
    assert_int_equal(r->n_checks, 1);
    assert_true(r->duration_ms >= 2000);
    worker_free(w);
    worker_case_expect("misbehave_sigterm", 200, WORKER_TIMEOUT, "200 ms");
}

/* As soon as it is one too many: who forks without an end does not go on until the deadline. */
static void a_fork_bomb_is_over_at_once(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("misbehave_forkbomb", 600000);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_CRASHED);
    assert_int_equal(r->signal, SIGKILL);
    assert_non_null(strstr(r->message, "killed: it had too many processes and threads"));
    /* The signal goes to all that are in its group: some may be dead before somebody counts. */
    assert_in_range(r->left_behind, 0, 200);
    worker_free(w);
    worker_case_expect("good_nothing", 10000, WORKER_PASSED, "1 checks");
}

/* 300 one after the other, and as many as it may have at once. */
static void some_processes_and_threads_are_fine(void **state)
{
    (void)state;
    worker_case_expect("good_processes", 60000, WORKER_PASSED, "3 checks");
}

/* A run that may use 256 MiB. */
static struct worker *run_in_256_mib(const char *plugin)
{
    char path[4096];
    struct test_job job = {.plugin_file = test_plugin(plugin, path, sizeof path),
                           .test_id = "t1",
                           .name = "memory",
                           .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                           .limits = {.memory_bytes = 256 << 20},
                           .timeout_ms = 60000};
    return worker_case_job(&job);
}

static void memory_is_limited(void **state)
{
    (void)state;
    struct worker *w = run_in_256_mib("misbehave_memory");
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_CRASHED);
    assert_int_equal(r->signal, SIGKILL);
    if (!strstr(r->message, "MiB of memory, the limit is 256"))
        fail_msg("%s", r->message);
    assert_true(r->max_rss_bytes > 256u << 20);
    worker_free(w);
}

static void memory_at_once_is_refused(void **state)
{
    (void)state;
    struct worker *w = run_in_256_mib("misbehave_memory_at_once");
    const struct worker_result *r = worker_result(w);
    /* Under AddressSanitizer address space is not limited, and the use is seen instead. */
    bool refused = strstr(r->message, "SIGSEGV: address 0x0");
    bool seen = strstr(r->message, "MiB of memory, the limit is 256");
    if (r->status != WORKER_CRASHED || (!refused && !seen))
        fail_msg("%s: %s", WORKER_STATUS_NAMES[r->status], r->message);
    worker_free(w);
}

static void lies_are_no_verdict(void **state)
{
    (void)state;
    worker_case_expect("misbehave_exit", 10000, WORKER_ERROR,
                       "ended itself with exit status 0 before the test");
    worker_case_expect("misbehave_rubbish", 10000, WORKER_ERROR, "to descriptor 3");
    worker_case_expect("misbehave_close", 10000, WORKER_ERROR, "closed the descriptor");
    worker_case_expect("misbehave_host", 10000, WORKER_ERROR,
                       "uses the host wrongly: the name of a measurement");
}

static void the_disk_is_limited(void **state)
{
    (void)state;
    char path[4096];
    struct test_job job = {.plugin_file = test_plugin("misbehave_disk", path, sizeof path),
                           .test_id = "t1",
                           .name = "disk",
                           .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                           .limits = {.scratch_bytes = 16 << 20},
                           .timeout_ms = 60000};
    struct worker *w = worker_case_job(&job);
    const struct worker_result *r = worker_result(w);
    /* Either the memory disk has said no, or what was written has been seen. */
    bool refused = r->status == WORKER_FAILED && strstr(r->message, "inside");
    bool seen = r->status == WORKER_CRASHED && strstr(r->message, "the limit is 16");
    if (!refused && !seen)
        fail_msg("%s: %s", WORKER_STATUS_NAMES[r->status], r->message);
    worker_free(w);
}

static void nobody_stays_behind(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("misbehave_grandchild", 10000);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_PASSED);
    assert_int_equal(r->left_behind, 3);
    worker_free(w);
}

static void nobody_else_is_killed(void **state)
{
    (void)state;
    if (!worker_case_own_users())
        skip(); /* it would kill us */
    worker_case_expect("misbehave_killall", 10000, WORKER_PASSED, "1 checks");
}

static void the_log_keeps_its_end(void **state)
{
    (void)state;
    struct worker *w = worker_case_run("misbehave_flood", 1500);
    const struct worker_result *r = worker_result(w);
    assert_int_equal(r->status, WORKER_PASSED);
    assert_int_equal(r->log_len, 65536);
    assert_non_null(strstr(r->log, "the end of the flood"));
    worker_free(w);
}

/* ---- jobs that cannot be done ---- */

static void expect_error(struct test_job *job, const char *part)
{
    struct worker *w = worker_case_job(job);
    const struct worker_result *r = worker_result(w);
    if (r->status != WORKER_ERROR || !strstr(r->message, part))
        fail_msg("%s: %s (wanted: %s)", WORKER_STATUS_NAMES[r->status], r->message, part);
    worker_free(w);
}

static void impossible_jobs_say_why(void **state)
{
    (void)state;
    char path[4096], runtime[4096];
    struct job_dataset data = {.name = "d", .path = "/etc/hostname", .format = "parquet"};
    const struct test_job good = {.plugin_file = test_plugin("good_everything", path, sizeof path),
                                  .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                                  .timeout_ms = 10000};
    struct test_job job = good;
    job.plugin_file = "/nonexistent.so";
    expect_error(&job, "/nonexistent.so cannot be opened");
    job.plugin_file = "/etc/passwd";
    expect_error(&job, "/etc/passwd cannot be loaded: invalid ELF header");
    job = good;
    job.plugin_sha256 = "00";
    expect_error(&job, "has changed: its SHA-256 is");
    job.plugin_sha256 = NULL;
    job.config = "{\"limit\":11}";
    expect_error(&job, "the configuration: /limit must be from 0 to 10, got 11");
    job.config = "{\"cases\":[{\"x\":1},{}]}";
    expect_error(&job, "the configuration: /cases/1/x is required");
    job.config = "{\"data\":\"d\"}";
    expect_error(&job, "/data names no dataset");
    job = good;
    job.datasets = &data;
    job.n_datasets = 1;
    expect_error(&job, "dataset 'd': the format 'parquet' is not csv, jsonl or npy");
    data.path = "/nonexistent";
    expect_error(&job, "/nonexistent cannot be opened: No such file");
    job = good;
    job.subject.runtime = "{\"kind\":\"test.sum\",\"inputs\":99}";
    job.subject.runtime_file = test_plugin("good_runtime", runtime, sizeof runtime);
    expect_error(&job, "the runtime of m:1: /inputs must be from 1 to 8, got 99");
}

static void bad_jobs_are_refused(void **state)
{
    (void)state;
    struct worker_settings absent = {.program = "/nonexistent", .scratch_dir = worker_case_dir};
    struct test_job job = {.plugin_file = "/x.so", .timeout_ms = 0};
    struct err e;
    assert_null(worker_run(&worker_case, &job, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    job.timeout_ms = 1000;
    job.config = "[]";
    assert_null(worker_run(&worker_case, &job, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    job.config = NULL;
    assert_null(worker_run(&absent, &job, &e));
    assert_ptr_equal(e.kind, &ERR_INTERNAL);
}

/* ---- cancelling, and hosts that go ---- */

static void a_run_is_cancelled(void **state)
{
    (void)state;
    char path[4096];
    struct test_job job = {.plugin_file = test_plugin("misbehave_sigterm", path, sizeof path),
                           .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                           .timeout_ms = 60000};
    struct err e;
    struct worker *w = worker_start(&worker_case, &job, &e);
    assert_non_null(w);
    usleep(50000);
    worker_cancel(w);
    while (!worker_done(w)) {
        usleep(1000);
        worker_feed(w, clock_mono_ns(&CLOCK_SYSTEM));
    }
    assert_int_equal(worker_result(w)->status, WORKER_ERROR);
    assert_true(worker_result(w)->cancelled);
    assert_string_equal(worker_result(w)->message, "cancelled");
    worker_free(w);
    worker_case_nothing_left();
    w = worker_start(&worker_case, &job, &e); /* freed while it runs */
    assert_non_null(w);
    worker_free(w);
    worker_case_nothing_left();
}

/* The host is killed in the middle of a run: the worker notices, and cleans up as ever. */
static void a_worker_outlives_no_host(void **state)
{
    (void)state;
    pid_t host = fork();
    if (host == 0) {
        char path[4096];
        struct worker_settings its = {.program = test_worker_program(),
                                      .scratch_dir = worker_case_dir};
        struct test_job job = {.plugin_file = test_plugin("misbehave_sigterm", path, sizeof path),
                               .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                               .timeout_ms = 60000};
        if (worker_case.nursery)
            its.nursery = nursery_new(its.program, NURSERY_PLAIN);
        if (!worker_start(&its, &job, NULL))
            _exit(1);
        usleep(50000);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_true(WIFSIGNALED(status));
    do { /* the first stage and the nursery, inherited by us */
        assert_true(waitpid(-1, &status, 0) > 0);
        assert_true(WIFEXITED(status));
    } while (worker_case_children() > 0);
    worker_case_nothing_left();
}

static void files_describe_themselves(void **state)
{
    (void)state;
    char path[4096];
    struct arena *a = arena_new(1 << 20);
    struct err e;
    const char *text =
        worker_describe(&worker_case, test_plugin("good_everything", path, sizeof path), a, &e);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"kind\":\"test\",\"id\":\"test.everything\""));
    assert_non_null(strstr(text, "\"additionalProperties\":false"));
    assert_null(worker_describe(&worker_case,
                                test_plugin("misbehave_constructor", path, sizeof path), a, &e));
    assert_non_null(strstr(e.detail, "SIGSEGV"));
    assert_null(worker_describe(&worker_case, "/etc/passwd", a, &e));
    assert_non_null(strstr(e.detail, "invalid ELF header"));
    arena_free(a);
}

#define IN_ANY_CASE                                                                         \
    cmocka_unit_test(a_test_passes), cmocka_unit_test(everything_the_host_offers),          \
        cmocka_unit_test(crashes_name_their_signal), cmocka_unit_test(deadlines_hold),      \
        cmocka_unit_test(a_fork_bomb_is_over_at_once),                                      \
        cmocka_unit_test(some_processes_and_threads_are_fine),                              \
        cmocka_unit_test(memory_is_limited), cmocka_unit_test(memory_at_once_is_refused),   \
        cmocka_unit_test(lies_are_no_verdict), cmocka_unit_test(the_disk_is_limited),       \
        cmocka_unit_test(nobody_stays_behind), cmocka_unit_test(nobody_else_is_killed),     \
        cmocka_unit_test(the_log_keeps_its_end), cmocka_unit_test(impossible_jobs_say_why), \
        cmocka_unit_test(bad_jobs_are_refused), cmocka_unit_test(a_run_is_cancelled),       \
        cmocka_unit_test(a_worker_outlives_no_host)

int main(void)
{
    const struct CMUnitTest anew[] = {IN_ANY_CASE, cmocka_unit_test(files_describe_themselves)};
    const struct CMUnitTest nursery[] = {IN_ANY_CASE};
    int failed = cmocka_run_group_tests(anew, worker_case_anew, worker_case_end);
    return failed + cmocka_run_group_tests(nursery, worker_case_from_nursery, worker_case_end);
}
