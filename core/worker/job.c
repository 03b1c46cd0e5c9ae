#include "worker/job.h"

#include "base/bytes.h"
#include "base/json.h"
#include "extend/job_text.h"
#include "worker/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The file from `at` on. */
static bool read_from(int fd, size_t at, struct bytes *out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (size_t)st.st_size < at)
        return fail_errno(e, &ERR_IO, "the job is no file");
    size_t size = (size_t)st.st_size - at;
    char *room = bytes_room(out, size);
    if (!room)
        return fail(e, &ERR_INVALID, "the job is too large");
    while (out->len < size) {
        ssize_t n = pread(fd, room + out->len, size - out->len, (off_t)(at + out->len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(e, &ERR_IO, "the job cannot be read");
        out->len += (size_t)n;
    }
    room[size] = '\0';
    return true;
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

/* ---- the terms ---- */

static bool read_limits(const json_t *in, struct terms *terms, struct err *e)
{
    terms->memory_bytes = count(in, "memory_bytes");
    terms->scratch_bytes = count(in, "scratch_bytes");
    terms->cpu_seconds = count(in, "cpu_seconds");
    terms->processes = (unsigned)count(in, "processes");
    terms->open_files = (unsigned)count(in, "open_files");
    return (terms->memory_bytes && terms->scratch_bytes && terms->cpu_seconds && terms->processes &&
            terms->open_files) ||
           fail(e, &ERR_INVALID, "the limits of the job are incomplete");
}

static bool read_terms(struct terms *terms, struct err *e)
{
    const json_t *root = terms->root;
    const char *nonce = text(root, "nonce");
    terms->user = text(root, "user");
    terms->scratch_dir = text(root, "scratch_dir");
    terms->timeout_ms = (int64_t)count(root, "timeout_ms");
    terms->nice = (int)count(root, "nice");
    if (!nonce || strlen(nonce) != NONCE_LEN || !terms->scratch_dir || !terms->timeout_ms)
        return fail(e, &ERR_INVALID, "the job is incomplete");
    memcpy(terms->nonce, nonce, NONCE_LEN + 1);
    return read_limits(json_object_get(root, "limits"), terms, e);
}

/* Its first line, into `line`; the length with its end, 0: there is none. Whatever else of the job
 * came along is wiped: it must not stay where the next test is forked from. */
static size_t read_line(int fd, char *line, size_t size)
{
    ssize_t n;
    while ((n = pread(fd, line, size, 0)) < 0 && errno == EINTR)
        ;
    const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
    size_t len = end ? (size_t)(end - line) + 1 : 0;
    if (n > 0)
        explicit_bzero(line + len, (size_t)n - len);
    return len;
}

bool terms_read(int fd, struct terms *terms, struct err *e)
{
    char line[JOB_TERMS_MAX];
    *terms = (struct terms){.len = read_line(fd, line, sizeof line)};
    if (!terms->len)
        return fail(e, &ERR_INVALID, "the job has no terms");
    terms->root = json_read(line, terms->len - 1, e);
    return terms->root && read_terms(terms, e);
}

void terms_release(struct terms *terms)
{
    json_decref(terms->root);
    terms->root = NULL;
}

/* ---- the rest ---- */

static bool read_root(struct job *job, struct err *e)
{
    const json_t *root = job->root;
    const char *seed = text(root, "seed");
    job->plugin_file = text(root, "plugin_file");
    job->plugin_sha256 = text(root, "plugin_sha256");
    job->test_id = text(root, "test_id");
    job->name = text(root, "name");
    job->config = json_object_get(root, "config");
    if (!seed || !job->plugin_file || !job->test_id || !job->name || !json_is_object(job->config))
        return fail(e, &ERR_INVALID, "the job is incomplete");
    job->seed = strtoull(seed, NULL, 10);
    return read_datasets(json_object_get(root, "datasets"), job, e) &&
           read_model(json_object_get(root, "subject"), &job->subject, e) &&
           read_model(json_object_get(root, "baseline"), &job->baseline, e) &&
           (job->subject.given || fail(e, &ERR_INVALID, "the job has no subject"));
}

bool job_read(int fd, const struct terms *terms, struct job *job, struct err *e)
{
    struct bytes in = BYTES_INIT(JOB_TEXT_MAX);
    *job = (struct job){.plugin_fd = -1, .timeout_ms = terms->timeout_ms};
    bool ok = read_from(fd, terms->len, &in, e);
    if (ok) {
        job->root = json_read(in.data ? in.data : "", in.len, e);
        ok = job->root && read_root(job, e);
    }
    bytes_release(&in);
    return ok;
}

/* ---- its files ---- */

static bool open_model(struct model_source *m, struct err *e)
{
    if (m->runtime)
        m->fd = load_open(m->runtime_file, e);
    return !m->runtime || m->fd >= 0;
}

bool job_open(struct job *job, struct err *e)
{
    for (size_t i = 0; i < job->n_datasets; i++) {
        struct dataset_source *d = &job->datasets[i];
        d->fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (d->fd < 0)
            return fail_errno(e, &ERR_INVALID, "dataset '%s': %s cannot be opened", d->name,
                              d->path);
    }
    job->plugin_fd = load_open(job->plugin_file, e);
    return job->plugin_fd >= 0 && open_model(&job->subject, e) && open_model(&job->baseline, e);
}
