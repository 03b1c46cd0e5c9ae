#include "worker/job.h"

#include "base/bytes.h"
#include "base/json.h"
#include "extend/job_text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static uint64_t count(const json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

static bool read_all(int fd, struct bytes *out, struct err *e)
{
    for (;;) {
        char *room = bytes_room(out, 65536);
        if (!room)
            return fail(e, &ERR_INVALID, "the job is too large");
        ssize_t n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(e, &ERR_IO, "the job cannot be read");
        if (n == 0)
            return true;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
}

static bool read_model(const json_t *in, struct model_source *out, struct err *e)
{
    out->fd = -1;
    if (!json_is_object(in))
        return true;
    *out = (struct model_source){
        .given = true,
        .model_id = text(in, "model_id"),
        .name = text(in, "name"),
        .version = text(in, "version"),
        .status = text(in, "status"),
        .runtime_file = text(in, "runtime_file"),
        .runtime = json_object_get(in, "runtime"),
        .fd = -1,
    };
    if (!json_is_object(out->runtime) || !out->runtime_file) {
        out->runtime = NULL;
        out->runtime_file = NULL;
    }
    return (out->model_id && out->name && out->version && out->status) ||
           fail(e, &ERR_INVALID, "a model of the job is incomplete");
}

static bool read_datasets(const json_t *list, struct job *job, struct err *e)
{
    job->n_datasets = json_array_size(list);
    if (job->n_datasets > JOB_DATASETS)
        return fail(e, &ERR_INVALID, "more than %d datasets", JOB_DATASETS);
    for (size_t i = 0; i < job->n_datasets; i++) {
        const json_t *in = json_array_get(list, i);
        job->datasets[i] = (struct dataset_source){
            .name = text(in, "name"),
            .path = text(in, "path"),
            .sha256 = text(in, "sha256"),
            .format = text(in, "format"),
            .label = text(in, "label"),
            .fd = -1,
        };
        if (!job->datasets[i].name || !job->datasets[i].path)
            return fail(e, &ERR_INVALID, "a dataset of the job is incomplete");
    }
    return true;
}

static bool read_limits(const json_t *in, struct job *job, struct err *e)
{
    job->memory_bytes = count(in, "memory_bytes");
    job->scratch_bytes = count(in, "scratch_bytes");
    job->cpu_seconds = count(in, "cpu_seconds");
    job->processes = (unsigned)count(in, "processes");
    job->open_files = (unsigned)count(in, "open_files");
    return (job->memory_bytes && job->scratch_bytes && job->cpu_seconds && job->processes &&
            job->open_files) ||
           fail(e, &ERR_INVALID, "the limits of the job are incomplete");
}

static bool read_root(struct job *job, struct err *e)
{
    const json_t *root = job->root;
    const char *nonce = text(root, "nonce"), *seed = text(root, "seed");
    job->plugin_file = text(root, "plugin_file");
    job->plugin_sha256 = text(root, "plugin_sha256");
    job->test_id = text(root, "test_id");
    job->name = text(root, "name");
    job->user = text(root, "user");
    job->scratch_dir = text(root, "scratch_dir");
    job->config = json_object_get(root, "config");
    job->timeout_ms = (int64_t)count(root, "timeout_ms");
    job->nice = (int)count(root, "nice");
    job->plugin_fd = -1;
    if (!nonce || strlen(nonce) != NONCE_LEN || !seed || !job->plugin_file || !job->test_id ||
        !job->name || !job->scratch_dir || !json_is_object(job->config) || !job->timeout_ms)
        return fail(e, &ERR_INVALID, "the job is incomplete");
    memcpy(job->nonce, nonce, NONCE_LEN + 1);
    job->seed = strtoull(seed, NULL, 10);
    return read_limits(json_object_get(root, "limits"), job, e) &&
           read_datasets(json_object_get(root, "datasets"), job, e) &&
           read_model(json_object_get(root, "subject"), &job->subject, e) &&
           read_model(json_object_get(root, "baseline"), &job->baseline, e) &&
           (job->subject.given || fail(e, &ERR_INVALID, "the job has no subject"));
}

bool job_read(int fd, struct job *job, struct err *e)
{
    struct bytes in = BYTES_INIT(JOB_TEXT_MAX);
    *job = (struct job){.plugin_fd = -1};
    bool ok = read_all(fd, &in, e);
    if (ok) {
        job->root = json_read(in.data ? in.data : "", in.len, e);
        ok = job->root && read_root(job, e);
    }
    bytes_release(&in);
    return ok;
}
