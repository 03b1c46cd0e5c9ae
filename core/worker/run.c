/* The second stage: it has given up its rights, loads the test and what it needs, and calls it. */
#include "worker/run.h"

#include "base/json.h"
#include "extend/plugin_fields.h"
#include "worker/crash.h"
#include "worker/report.h"
#include "worker/second_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run RUN;

static bool load_datasets(const struct job *job, struct err *e)
{
    for (size_t i = 0; i < job->n_datasets; i++) {
        if (!dataset_load(&job->datasets[i], &RUN.datasets[i], e))
            return false;
        RUN.dataset_list[i] = &RUN.datasets[i].pub;
    }
    return true;
}

static bool load_test(const struct job *job, struct err *e)
{
    if (!load_plugin(job->plugin_fd, job->plugin_file, job->plugin_sha256, &RUN.plugin, e))
        return false;
    if (RUN.plugin.plugin->kind != PADDOCK_KIND_TEST)
        return fail(e, &ERR_INVALID, "%s is no test", job->plugin_file);
    return true;
}

static bool check_config(const struct job *job, struct err *e)
{
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    RUN.config =
        plugin_fields_check(RUN.plugin.plugin->config, job->config, "", CONFIG_FROM_SERVER, f);
    if (!RUN.config)
        fail(e, &ERR_INVALID, "the configuration: %s %s", f->listed ? f->list[0].pointer : "",
             f->listed ? f->list[0].detail : "is wrong");
    arena_free(a);
    return RUN.config != NULL;
}

/* A field of type DATASET promises that it is there. */
static bool check_datasets(const paddock_field *fields, const json_t *config, struct err *e)
{
    for (; fields && fields->name; fields++) {
        const char *name = json_string_value(json_object_get(config, fields->name));
        if (fields->type != PADDOCK_FIELD_DATASET || !name)
            continue;
        if (!host_has_dataset(name))
            return fail(e, &ERR_INVALID, "the configuration: /%s names no dataset of the test case",
                        fields->name);
    }
    return true;
}

bool host_has_dataset(const char *name)
{
    for (size_t i = 0; i < RUN.job->n_datasets; i++)
        if (strcmp(RUN.datasets[i].pub.name, name) == 0)
            return true;
    return false;
}

static bool load_all(const struct job *job, const char *scratch, struct err *e)
{
    return load_datasets(job, e) && load_test(job, e) && check_config(job, e) &&
           check_datasets(RUN.plugin.plugin->config, RUN.config, e) &&
           model_open(&job->subject, scratch, &RUN.subject, e) &&
           (!job->baseline.given || model_open(&job->baseline, scratch, &RUN.baseline, e));
}

static void report_loaded(void)
{
    struct bytes line = BYTES_INIT(4096);
    json_kv_string(&line, "id", RUN.plugin.plugin->id);
    json_kv_string(&line, "version", RUN.plugin.plugin->version);
    report_line("loaded", &line);
    bytes_release(&line);
}

/* What needs no plugin to say so. */
static bool skipped(const struct job *job)
{
    uint32_t flags = RUN.plugin.plugin->flags;
    if ((flags & PADDOCK_NEEDS_BASELINE) && !job->baseline.given) {
        report_text("skip", "there is no baseline to compare with");
        return true;
    }
    if ((flags & PADDOCK_NEEDS_DATASET) && job->n_datasets == 0) {
        report_text("error", "the test case has no dataset");
        return true;
    }
    return false;
}

static void fill_test(const struct job *job, const char *scratch)
{
    RUN.test = (paddock_test){
        .host = &HOST,
        .test_id = job->test_id,
        .name = job->name,
        .config = (const paddock_value *)RUN.config,
        .subject = &RUN.subject.pub,
        .baseline = job->baseline.given ? &RUN.baseline.pub : NULL,
        .datasets = RUN.dataset_list,
        .n_datasets = job->n_datasets,
        .seed = job->seed,
        .scratch = scratch,
    };
}

static void call_test(const struct job *job)
{
    const paddock_test_ops *ops = RUN.plugin.plugin->ops;
    RUN.start_ns = run_now_ns();
    RUN.deadline_ns = RUN.start_ns + (uint64_t)job->timeout_ms * 1000000u;
    report_line("run", NULL);
    ops->run(&RUN.test);
}

static void report_end(void)
{
    struct bytes line = BYTES_INIT(256);
    json_kv_int(&line, "checks", (int64_t)atomic_load(&RUN.checks));
    json_kv_int(&line, "duration_ns", RUN.start_ns ? (int64_t)(run_now_ns() - RUN.start_ns) : 0);
    report_line("end", &line);
    bytes_release(&line);
}

void second_stage_fail(const struct err *e)
{
    report_text("error", "%s", e->detail);
    report_end();
    fflush(NULL);
    _exit(0);
}

void second_stage(const struct job *job, const char *scratch)
{
    struct err e;
    RUN.job = job;
    RUN.deadline_ns = run_now_ns() + WORKER_LOAD_MS * UINT64_C(1000000);
    crash_watch(&RUN.plugin);
    if (!load_all(job, scratch, &e))
        second_stage_fail(&e);
    report_loaded();
    fill_test(job, scratch);
    if (!skipped(job))
        call_test(job);
    model_close(&RUN.subject);
    model_close(&RUN.baseline);
    report_end();
    fflush(NULL);
    /* Not exit(): what the plugin has registered with atexit() is of no use to anybody. */
    _exit(0);
}
