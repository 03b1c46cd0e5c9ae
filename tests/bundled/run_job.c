/* run_job: jobs for paddock-worker on standard input, one JSON object a line; results on standard
 * output in the same way. For tests of plugins written in Python. */
#include "support/worker.h"
#include "base/arena.h"
#include "extend/worker_process.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DATASETS_MAX 8

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Any member as compact JSON; NULL if it is not there. The arena keeps it. */
static const char *inner(struct arena *a, const json_t *object, const char *key)
{
    char *dump = json_dumps(json_object_get(object, key), JSON_COMPACT);
    const char *kept = dump ? arena_text(a, dump) : NULL;
    free(dump);
    return kept;
}

static struct job_model read_model(struct arena *a, const json_t *m)
{
    return (struct job_model){.model_id = text(m, "model_id"),
                              .name = text(m, "name"),
                              .version = text(m, "version"),
                              .status = text(m, "status"),
                              .runtime = inner(a, m, "runtime"),
                              .runtime_file = text(m, "runtime_file")};
}

static size_t read_datasets(const json_t *list, struct job_dataset *out)
{
    size_t n = 0;
    for (; n < json_array_size(list) && n < DATASETS_MAX; n++) {
        const json_t *d = json_array_get(list, n);
        out[n] = (struct job_dataset){.name = text(d, "name"),
                                      .path = text(d, "path"),
                                      .sha256 = text(d, "sha256"),
                                      .format = text(d, "format"),
                                      .label = text(d, "label")};
    }
    return n;
}

static json_t *checks_of(const struct worker_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_checks; i++)
        json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:s}", "name", r->checks[i].name, "ok",
                                              r->checks[i].ok, "warn", r->checks[i].warn, "detail",
                                              r->checks[i].detail));
    return list;
}

static json_t *measurements_of(const struct worker_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_measurements; i++) {
        const struct worker_measurement *m = &r->measurements[i];
        json_t *one = json_pack("{s:s,s:f,s:i,s:I,s:b}", "name", m->name, "value", m->value,
                                "better", (int)m->better, "samples", (json_int_t)m->samples,
                                "paired", m->baseline_values != NULL);
        if (!isnan(m->variance))
            json_object_set_new(one, "variance", json_real(m->variance));
        json_t *values = json_array();
        for (size_t k = 0; m->values && k < m->n_values; k++)
            json_array_append_new(values, json_real(m->values[k]));
        json_object_set_new(one, "values", values);
        json_array_append_new(list, one);
    }
    return list;
}

static void print_result(const struct worker_result *r)
{
    json_t *log = json_stringn(r->log, r->log_len);
    json_t *result = json_pack(
        "{s:s,s:s,s:o,s:o,s:o*,s:f,s:f,s:i}", "status", WORKER_STATUS_NAMES[r->status], "message",
        r->message, "checks", checks_of(r), "measurements", measurements_of(r), "log", log,
        "duration_ms", r->duration_ms, "total_ms", r->total_ms, "left_behind", (int)r->left_behind);
    char *dump = json_dumps(result, JSON_COMPACT);
    printf("%s\n", dump ? dump : "null");
    fflush(stdout);
    free(dump);
    json_decref(result);
}

static bool run_one(const json_t *job_text)
{
    struct arena *arena = arena_new(64u << 20);
    struct job_dataset datasets[DATASETS_MAX];
    const json_t *baseline_text = json_object_get(job_text, "baseline");
    struct job_model baseline = read_model(arena, baseline_text);
    struct test_job job = {
        .plugin_file = text(job_text, "plugin"),
        .test_id = "t",
        .name = "t",
        .config = inner(arena, job_text, "config"),
        .datasets = datasets,
        .n_datasets = read_datasets(json_object_get(job_text, "datasets"), datasets),
        .subject = read_model(arena, json_object_get(job_text, "subject")),
        .baseline = baseline_text ? &baseline : NULL,
        .seed = 1,
        .timeout_ms = json_integer_value(json_object_get(job_text, "timeout_ms")),
    };
    struct worker_settings settings = {.program = test_worker_program()};
    struct err e;
    struct worker *w = worker_run(&settings, &job, &e);
    if (w)
        print_result(worker_result(w));
    else
        fprintf(stderr, "no worker: %s\n", e.detail);
    bool ran = w != NULL;
    worker_free(w);
    arena_free(arena);
    return ran;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    bool good = true;
    while (good && getline(&line, &size, stdin) > 0) {
        json_error_t e;
        json_t *job = json_loads(line, 0, &e);
        good = job && run_one(job);
        if (!job)
            fprintf(stderr, "no job: %s\n", e.text);
        json_decref(job);
    }
    free(line);
    return good ? 0 : 1;
}
