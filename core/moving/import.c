#include "moving/import_put.h"
#include "moving/line.h"
#include "moving/moving.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct importing {
    struct line_reader line;
    struct putting put;
    const char *dir;
    struct moved *moved;
    char path[PATH_MAX]; /* of the file being written, as the line names it */
    int fd;              /* -1: none */
    bool ended;
};

/* --- one line of each kind --- */

static bool read_entry(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    struct journal_entry entry = {0};
    const char *hash;
    int64_t seq;
    if (!line_int(r, "seq", &seq, e) || !line_int(r, "at", &entry.at, e) ||
        !line_text(r, "ns", &entry.ns, e) || !line_text(r, "action", &entry.action, e) ||
        !line_text(r, "entity", &entry.entity, e) ||
        !line_text(r, "entity_id", &entry.entity_id, e) ||
        !line_text_or_null(r, "name", &entry.name, e) ||
        !line_text(r, "actor_id", &entry.actor_id, e) ||
        !line_text_or_null(r, "request_id", &entry.request_id, e) ||
        !line_text_or_null(r, "to_status", &entry.to_status, e) ||
        !line_text(r, "hash", &hash, e) || !line_text(r, "text", &entry.text, e))
        return false;
    entry.seq = (uint64_t)seq;
    entry.text_len = strlen(entry.text);
    if (strlen(hash) != SHA256_HEX_SIZE - 1 || seq <= 0)
        return line_wrong(r, e, "it is no entry of a journal");
    memcpy(entry.hash, hash, SHA256_HEX_SIZE);
    x->moved->entries++;
    return put_entry(&x->put, &entry, e);
}

static bool read_entity(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    struct store_row row = {0};
    int64_t uid;
    if (!line_text(r, "entity", &row.kind, e) || !line_text(r, "ns", &row.ns, e) ||
        !line_text(r, "id", &row.id, e) || !line_int(r, "uid", &uid, e) ||
        !line_int(r, "revision", &row.revision, e) || !line_text(r, "value", &row.value, e))
        return false;
    row.uid = (uint64_t)uid;
    row.value_len = strlen(row.value);
    x->moved->entities++;
    return put_row(&x->put, &row, e);
}

static bool read_key(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    struct store_key key = {0};
    int64_t number;
    void *value = NULL;
    bool ok = line_text(r, "key", &key.key, e) && line_int(r, "number", &number, e) &&
              line_int(r, "expires_ms", &key.expires_ms, e) &&
              line_data(r, "value", &value, &key.value_len, e);
    key.value = value;
    ok = ok && put_key(&x->put, &key, number, e);
    x->moved->keys += ok;
    free(value);
    return ok;
}

static bool read_job(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    struct store_rest job = {.kind = REST_JOB};
    void *data = NULL;
    bool ok = line_text(r, "queue", &job.name, e) && line_text(r, "id", &job.id, e) &&
              line_data(r, "data", &data, &job.len, e);
    job.data = data;
    ok = ok && put_job(&x->put, &job, e);
    x->moved->jobs += ok;
    free(data);
    return ok;
}

static bool read_mark(struct importing *x, struct err *e)
{
    struct series_mark mark;
    x->moved->marks++;
    return line_text(&x->line, "name", &mark.name, e) &&
           line_int(&x->line, "value", &mark.value, e) && put_mark(&x->put, &mark, e);
}

static bool read_record(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    struct series_record record = {0};
    void *data = NULL;
    bool ok = line_text(r, "key", &record.key, e) && line_int(r, "at", &record.at, e) &&
              line_text(r, "id", &record.id, e) && line_data(r, "data", &data, &record.len, e);
    record.data = data;
    ok = ok && put_record(&x->put, &record, e);
    x->moved->records += ok;
    free(data);
    return ok;
}

/* --- files --- */

static bool file_failed(const struct importing *x, struct err *e)
{
    return fail_errno(e, &ERR_IO, "cannot write %s/%s", x->dir, x->path);
}

/* Pieces of a file follow each other; its last line tells its size. */
static bool open_file(struct importing *x, const char *path, struct err *e)
{
    char whole[PATH_MAX], folder[PATH_MAX];
    if (x->fd >= 0)
        return strcmp(path, x->path) == 0 ||
               line_wrong(&x->line, e, "the file before it has no end");
    if (!data_dir_is_file(path))
        return line_wrong(&x->line, e, "it names a file that is none of a data directory");
    snprintf(x->path, sizeof x->path, "%s", path);
    if (snprintf(whole, sizeof whole, "%s/%s", x->dir, path) >= (int)sizeof whole)
        return fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    memcpy(folder, whole, sizeof folder);
    *strrchr(folder, '/') = '\0';
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return file_failed(x, e);
    x->fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return x->fd >= 0 || file_failed(x, e);
}

static bool close_file(struct importing *x, int64_t size, struct err *e)
{
    bool ok = ftruncate(x->fd, size) == 0 && fsync(x->fd) == 0;
    if (!ok)
        file_failed(x, e);
    close(x->fd);
    x->fd = -1;
    x->moved->files++;
    return ok;
}

static bool write_piece(struct importing *x, int64_t at, const char *data, size_t len,
                        struct err *e)
{
    while (len > 0) {
        ssize_t n = pwrite(x->fd, data, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return file_failed(x, e);
        data += n;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_file(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    const char *path;
    int64_t at;
    void *data;
    size_t len;
    if (!line_text(r, "path", &path, e) || !open_file(x, path, e))
        return false;
    if (json_object_get(r->object, "size"))
        return line_int(r, "size", &at, e) && at >= 0 && close_file(x, at, e);
    if (!line_int(r, "at", &at, e) || !line_data(r, "data", &data, &len, e))
        return false;
    bool ok = at >= 0 ? write_piece(x, at, data, len, e) : line_wrong(r, e, "it is at no place");
    free(data);
    return ok;
}

/* --- all --- */

/* What a newer version writes may not even have our checksums. */
static bool read_head(struct importing *x, struct err *e)
{
    char what[128];
    bool whole = line_next(&x->line, e);
    const char *kind = json_string_value(json_object_get(x->line.object, "kind"));
    int64_t format = json_integer_value(json_object_get(x->line.object, "format"));
    if (!kind || strcmp(kind, "paddock-export") != 0 || format < 1)
        return whole ? line_wrong(&x->line, e, "it does not begin an export of Paddock") : false;
    if (format <= EXPORT_FORMAT)
        return whole;
    snprintf(what, sizeof what,
             "it was made by a newer version of Paddock (format %" PRId64
             ", this program knows %d)",
             format, EXPORT_FORMAT);
    return line_wrong(&x->line, e, what);
}

/* The last line says what the journal's head has to be. */
static bool read_end(struct importing *x, struct err *e)
{
    struct line_reader *r = &x->line;
    int64_t seq, next_uid;
    if (!line_int(r, "seq", &seq, e) || !line_int(r, "next_uid", &next_uid, e))
        return false;
    if (x->fd >= 0)
        return line_wrong(r, e, "the file before it has no end");
    if (!put_end(&x->put, (uint64_t)next_uid, e))
        return false;
    if ((uint64_t)seq != x->put.seq)
        return line_wrong(r, e, "the journal does not end where it should");
    x->ended = true;
    return line_is_last(r) || line_wrong(r, e, "something follows the end");
}

static bool read_line(struct importing *x, struct err *e)
{
    static const struct {
        const char *kind;
        bool (*read)(struct importing *x, struct err *e);
    } KINDS[] = {
        {"entry", read_entry},   {"entity", read_entity}, {"key", read_key},   {"job", read_job},
        {"record", read_record}, {"mark", read_mark},     {"file", read_file}, {"end", read_end},
    };
    const char *kind;
    if (!line_next(&x->line, e) || !line_text(&x->line, "kind", &kind, e))
        return false;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(kind, KINDS[i].kind) == 0)
            return KINDS[i].read(x, e);
    return line_wrong(&x->line, e, "it is of a kind that this program does not know");
}

bool store_import(struct store *s, const char *dir, FILE *from, struct moved *out, struct err *e)
{
    struct importing *x = mem_zero(1, sizeof *x);
    *out = (struct moved){0};
    x->dir = dir;
    x->moved = out;
    x->fd = -1;
    line_reader_init(&x->line, from);
    putting_init(&x->put, s);
    bool ok = read_head(x, e);
    while (ok && !x->ended)
        ok = read_line(x, e);
    out->lines = x->line.count;
    if (x->fd >= 0)
        close(x->fd);
    putting_release(&x->put);
    line_reader_release(&x->line);
    free(x);
    return ok;
}
