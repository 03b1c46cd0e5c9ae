#include "extend/job_text.h"

#include "base/json.h"
#include "base/utf8.h"

#include <string.h>
#include <unistd.h>

/* A member that is an object given as text; NULL gives null. */
static bool put_object(struct bytes *out, const char *key, const char *text, struct err *e)
{
    json_key(out, key);
    if (!text)
        return bytes_text(out, "null");
    json_t *value = json_read(text, strlen(text), e);
    if (!value)
        return false;
    bool object = json_is_object(value);
    if (object)
        json_put_value(out, value);
    json_decref(value);
    return object || fail(e, &ERR_INVALID, "'%s' of a test job must be a JSON object", key);
}

static void put_dataset(struct bytes *out, const struct job_dataset *d)
{
    bytes_char(out, '{');
    json_kv_string(out, "name", d->name);
    json_kv_string(out, "path", d->path);
    json_kv_string(out, "sha256", d->sha256);
    json_kv_string(out, "format", d->format);
    json_kv_string(out, "label", d->label);
    bytes_char(out, '}');
}

static bool put_model(struct bytes *out, const char *key, const struct job_model *m, struct err *e)
{
    json_key(out, key);
    if (!m)
        return bytes_text(out, "null");
    bytes_char(out, '{');
    json_kv_string(out, "model_id", m->model_id ? m->model_id : "");
    json_kv_string(out, "name", m->name ? m->name : "");
    json_kv_string(out, "version", m->version ? m->version : "");
    json_kv_string(out, "status", m->status ? m->status : "");
    json_kv_string(out, "runtime_file", m->runtime_file);
    return put_object(out, "runtime", m->runtime, e) && bytes_char(out, '}');
}

/* Libraries that compute start a thread for each processor. Asking reads a file. */
static unsigned default_processes(void)
{
    static _Atomic long known;
    if (!known)
        known = sysconf(_SC_NPROCESSORS_ONLN);
    return known > 16 ? 4 * (unsigned)known : 64;
}

static void put_limits(struct bytes *out, const struct test_job *job)
{
    const struct job_limits *l = &job->limits;
    uint64_t cpu = l->cpu_seconds ? l->cpu_seconds : (uint64_t)job->timeout_ms * 4 / 1000 + 10;
    json_key(out, "limits");
    bytes_char(out, '{');
    json_kv_int(out, "memory_bytes", (int64_t)(l->memory_bytes ? l->memory_bytes : 2ull << 30));
    json_kv_int(out, "scratch_bytes",
                (int64_t)(l->scratch_bytes ? l->scratch_bytes : 256ull << 20));
    json_kv_int(out, "cpu_seconds", (int64_t)cpu);
    json_kv_int(out, "processes", l->processes ? l->processes : default_processes());
    json_kv_int(out, "open_files", l->open_files ? l->open_files : 256);
    bytes_char(out, '}');
}

static bool put_datasets(struct bytes *out, const struct test_job *job, struct err *e)
{
    json_key(out, "datasets");
    bytes_char(out, '[');
    for (size_t i = 0; i < job->n_datasets; i++) {
        if (!job->datasets[i].name || !job->datasets[i].path)
            return fail(e, &ERR_INVALID, "a dataset of a test job needs a name and a path");
        if (i)
            bytes_char(out, ',');
        put_dataset(out, &job->datasets[i]);
    }
    return bytes_char(out, ']');
}

static void put_terms(const struct worker_settings *settings, const struct test_job *job,
                      const char *nonce, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "nonce", nonce);
    json_kv_int(out, "timeout_ms", job->timeout_ms);
    json_kv_int(out, "nice", job->nice);
    json_kv_string(out, "user", settings->user);
    json_kv_string(out, "scratch_dir", settings->scratch_dir ? settings->scratch_dir : "/tmp");
    put_limits(out, job);
    bytes_char(out, '}');
}

bool job_text_write(const struct worker_settings *settings, const struct test_job *job,
                    const char *nonce, struct bytes *out, struct err *e)
{
    if (!job->plugin_file || job->timeout_ms < 1 || job->timeout_ms > 86400000)
        return fail(e, &ERR_INVALID, "a test job needs a plugin and a timeout of 1 ms to a day");
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)job->seed);
    put_terms(settings, job, nonce, out);
    bytes_text(out, "\n{");
    json_kv_string(out, "plugin_file", job->plugin_file);
    json_kv_string(out, "plugin_sha256", job->plugin_sha256);
    json_kv_string(out, "test_id", job->test_id ? job->test_id : "");
    json_kv_string(out, "name", job->name ? job->name : "");
    json_kv_string(out, "seed", seed);
    if (!put_object(out, "config", job->config ? job->config : "{}", e) ||
        !put_datasets(out, job, e) || !put_model(out, "subject", &job->subject, e) ||
        !put_model(out, "baseline", job->baseline, e))
        return false;
    if (!bytes_char(out, '}') || out->full)
        return fail(e, &ERR_INVALID, "a test job is larger than %u bytes", JOB_TEXT_MAX);
    return true;
}
