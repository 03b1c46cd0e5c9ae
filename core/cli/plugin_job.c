/* From the command line to a job for paddock-worker. */
#include "cli/plugin.h"

#include "base/beside.h"
#include "base/json.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRACTICE "{\"kind\":\"practice\"}"
#define ROWS     64
#define COLUMNS  3

static const char *absolute(const char *path, struct arena *a, struct err *e)
{
    char *real = realpath(path, NULL);
    const char *out = NULL;
    if (real)
        out = arena_text(a, real);
    else
        fail_errno(e, &ERR_INVALID, "%s", path);
    free(real);
    return out;
}

/* ---- models ---- */

/* The plugin of a runtime: the practice model's, the one given, or one that came with Paddock. */
static const char *runtime_file(const struct plugin_options *o, const char *kind, struct err *e)
{
    char installed[512], built[512], path[4096];
    const char *places[] = {"../lib/paddock/practice.so", installed, built, NULL};
    if (strcmp(kind, "practice") != 0 && o->runtime_plugin)
        return absolute(o->runtime_plugin, o->arena, e);
    snprintf(installed, sizeof installed, "../lib/paddock/plugins/%.128s.so", kind);
    snprintf(built, sizeof built, "../plugins/%.128s.so", kind);
    if (!strchr(kind, '/') &&
        beside_find(strcmp(kind, "practice") == 0 ? places : places + 1, path, sizeof path))
        return arena_text(o->arena, path);
    fail(e, &ERR_INVALID, "no runtime '%s' comes with Paddock; name its file by --runtime-plugin",
         kind);
    return NULL;
}

bool plugin_job_model(const struct plugin_options *o, const char *model_id, const char *runtime,
                      struct job_model *out, struct err *e)
{
    json_t *object = json_read(runtime, strlen(runtime), e);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (object && !kind)
        fail(e, &ERR_INVALID, "a runtime needs a member \"kind\"");
    *out = (struct job_model){
        .model_id = model_id,
        .name = "model",
        .version = strchr(model_id, ':') + 1,
        .status = "canary",
        .runtime = runtime,
        .runtime_file = kind ? runtime_file(o, kind, e) : NULL,
    };
    json_decref(object);
    return out->runtime_file != NULL;
}

/* ---- data ---- */

/* Rows of numbers from -1 to 1, with the answer of the practice model. The same ones always. */
static bool make_rows(const char *path, struct err *e)
{
    FILE *f = fopen(path, "we");
    uint32_t state = 1;
    if (!f)
        return fail_errno(e, &ERR_INTERNAL, "%s", path);
    fputs("a,b,c,label\n", f);
    for (int row = 0; row < ROWS; row++) {
        double sum = 0;
        for (int column = 0; column < COLUMNS; column++) {
            state = state * 1664525u + 1013904223u;
            double value = (double)(state >> 16) / 32768.0 - 1;
            sum += value;
            fprintf(f, "%.4f,", value);
        }
        fprintf(f, "%d\n", sum > 0);
    }
    return fclose(f) == 0 || fail_errno(e, &ERR_INTERNAL, "%s", path);
}

static const char *data_name(const char *path, struct arena *a)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');
    return arena_copy(a, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

bool plugin_job_data(const struct plugin_options *o, const char *made, struct test_job *job,
                     struct err *e)
{
    struct job_dataset *list = arena_zero(o->arena, PLUGIN_DATA_MAX * sizeof *list);
    job->datasets = list;
    job->n_datasets = o->n_data;
    for (size_t i = 0; i < o->n_data; i++) {
        list[i].path = absolute(o->data[i], o->arena, e);
        list[i].name = data_name(o->data[i], o->arena);
        list[i].label = o->label;
        if (!list[i].path)
            return false;
    }
    if (o->n_data || !made)
        return true;
    list[0] = (struct job_dataset){.name = "practice",
                                   .path = arena_printf(o->arena, "%s/practice.csv", made),
                                   .label = "label"};
    job->n_datasets = 1;
    return access(list[0].path, R_OK) == 0 || make_rows(list[0].path, e);
}

bool plugin_job(const struct plugin_options *o, const char *file, struct test_job *job,
                struct job_models *models, struct err *e)
{
    *job = (struct test_job){
        .plugin_file = absolute(file, o->arena, e),
        .test_id = "test",
        .name = "test",
        .config = o->config,
        .seed = o->seed,
        .timeout_ms = o->timeout_ms,
    };
    if (!job->plugin_file ||
        !plugin_job_model(o, "model:2", o->runtime ? o->runtime : PRACTICE, &models->subject, e))
        return false;
    job->subject = models->subject;
    if (!o->baseline)
        return true;
    if (!plugin_job_model(o, "model:1", o->baseline, &models->baseline, e))
        return false;
    job->baseline = &models->baseline;
    return true;
}
