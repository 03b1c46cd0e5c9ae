#include "moving/figures.h"
#include "moving/line.h"
#include "moving/moving.h"
#include "store/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)96 << 10)

struct exporting {
    struct store *store;
    const char *dir;
    struct line_writer line;
    struct moved *moved;
    struct err *e; /* of a callback that cannot return one */
    struct figures figures;
    struct arena *arena; /* of the line under way */
};

static bool put_head(struct exporting *x, struct err *e)
{
    struct bytes *b = &x->line.text;
    line_begin(&x->line, "paddock-export");
    json_kv_int(b, "format", EXPORT_FORMAT);
    json_kv_string(b, "store", x->store->ops->name);
    json_kv_time(b, "at", clock_wall_ms(&CLOCK_SYSTEM));
    return line_end(&x->line, e);
}

static bool put_entry(void *ctx, const struct journal_entry *entry, struct err *e)
{
    struct exporting *x = ctx;
    struct bytes *b = &x->line.text;
    line_begin(&x->line, "entry");
    json_kv_int(b, "seq", (int64_t)entry->seq);
    json_kv_int(b, "at", entry->at);
    json_kv_string(b, "ns", entry->ns);
    json_kv_string(b, "action", entry->action);
    json_kv_string(b, "entity", entry->entity);
    json_kv_string(b, "entity_id", entry->entity_id);
    json_kv_string(b, "name", entry->name);
    json_kv_string(b, "actor_id", entry->actor_id);
    json_kv_string(b, "request_id", entry->request_id);
    json_kv_string(b, "to_status", entry->to_status);
    json_kv_string(b, "hash", entry->hash);
    json_key(b, "text");
    json_put_stringn(b, entry->text, entry->text_len);
    x->moved->entries++;
    return line_end(&x->line, e);
}

static bool put_entity(void *ctx, const struct store_row *row, struct err *e)
{
    struct exporting *x = ctx;
    struct bytes *b = &x->line.text;
    line_begin(&x->line, "entity");
    json_kv_string(b, "entity", row->kind);
    json_kv_string(b, "ns", row->ns);
    json_kv_string(b, "id", row->id);
    json_kv_int(b, "uid", (int64_t)row->uid);
    json_kv_int(b, "revision", row->revision);
    json_key(b, "value");
    json_put_stringn(b, row->value, row->value_len);
    x->moved->entities++;
    return line_end(&x->line, e);
}

/* --- the rest --- */

/* On the store's thread, while the one that asked waits. */
static bool put_record(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                       size_t len)
{
    struct exporting *x = ctx;
    struct bytes *b = &x->line.text;
    struct series_record r = {key, at, id, data, len};
    arena_reset(x->arena);
    if (!figures_record(&x->figures, x->arena, &r))
        return true;
    line_begin(&x->line, "record");
    json_kv_string(b, "key", r.key);
    json_kv_int(b, "at", at);
    json_kv_string(b, "id", id);
    line_put_data(&x->line, "data", r.data, r.len);
    x->moved->records++;
    return line_end(&x->line, x->e);
}

static bool put_series(struct exporting *x, const char *key, struct err *e)
{
    struct err why = {0};
    struct series_read r = {.key = key, .each = put_record, .ctx = x};
    x->e = &why;
    if (!store_read_wait(x->store, &r, e))
        return false;
    if (why.kind && e)
        *e = why;
    return !why.kind;
}

static bool put_rest(void *ctx, const struct store_rest *r, struct err *e)
{
    struct exporting *x = ctx;
    struct bytes *b = &x->line.text;
    struct series_mark mark = {r->name, r->number};
    switch (r->kind) {
    case REST_SERIES: return put_series(x, r->name, e);
    case REST_KEY:
        line_begin(&x->line, "key");
        json_kv_string(b, "key", r->name);
        json_kv_int(b, "number", r->number);
        json_kv_int(b, "expires_ms", r->expires_ms);
        line_put_data(&x->line, "value", r->data, r->len);
        x->moved->keys++;
        break;
    case REST_JOB:
        line_begin(&x->line, "job");
        json_kv_string(b, "queue", r->name);
        json_kv_string(b, "id", r->id);
        line_put_data(&x->line, "data", r->data, r->len);
        x->moved->jobs++;
        break;
    case REST_MARK:
        arena_reset(x->arena);
        if (!figures_mark(&x->figures, x->arena, &mark))
            return true;
        line_begin(&x->line, "mark");
        json_kv_string(b, "name", mark.name);
        json_kv_int(b, "value", mark.value);
        x->moved->marks++;
        break;
    }
    return line_end(&x->line, e);
}

/* --- files --- */

static bool put_piece(struct exporting *x, const char *path, int64_t at, const char *data,
                      size_t len, struct err *e)
{
    size_t zeros = 0;
    while (zeros < len && data[zeros] == 0)
        zeros++;
    if (zeros == len)
        return true; /* the log is preallocated */
    line_begin(&x->line, "file");
    json_kv_string(&x->line.text, "path", path);
    json_kv_int(&x->line.text, "at", at);
    line_put_data(&x->line, "data", data, len);
    return line_end(&x->line, e);
}

static bool put_file(void *ctx, const char *path, struct err *e)
{
    struct exporting *x = ctx;
    char whole[PATH_MAX], data[PIECE];
    int64_t at = 0;
    ssize_t n = 1;
    bool ok = true;
    if (snprintf(whole, sizeof whole, "%s/%s", x->dir, path) >= (int)sizeof whole)
        return fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    int fd = open(whole, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(e, &ERR_IO, "cannot read %s", whole);
    while (ok && n > 0) {
        n = pread(fd, data, sizeof data, at);
        ok = n >= 0 ? put_piece(x, path, at, data, (size_t)n, e)
                    : errno == EINTR || fail_errno(e, &ERR_IO, "cannot read %s", whole);
        at += n > 0 ? n : 0;
        n = n < 0 ? 1 : n;
    }
    close(fd);
    if (!ok)
        return false;
    line_begin(&x->line, "file");
    json_kv_string(&x->line.text, "path", path);
    json_kv_int(&x->line.text, "size", at);
    x->moved->files++;
    return line_end(&x->line, e);
}

/* --- all --- */

static bool put_end(struct exporting *x, const struct store_head *head, struct err *e)
{
    line_begin(&x->line, "end");
    json_kv_int(&x->line.text, "seq", (int64_t)head->seq);
    json_kv_int(&x->line.text, "next_uid", (int64_t)head->next_uid);
    return line_end(&x->line, e) &&
           (fflush(x->line.file) == 0 || fail_errno(e, &ERR_IO, "cannot write the export"));
}

bool store_export(struct store *s, const char *dir, FILE *to, struct moved *out, struct err *e)
{
    struct exporting x = {.store = s, .dir = dir, .moved = out};
    struct store_head head;
    *out = (struct moved){0};
    if (!s->ops->rest)
        return fail(e, &ERR_INTERNAL, "a store of this kind cannot be exported");
    line_writer_init(&x.line, to);
    x.arena = arena_new((size_t)16 << 20);
    bool ok = figures_choose(&x.figures, s, e) && put_head(&x, e) &&
              store_each_entry(s, put_entry, &x, e) && s->ops->load(s, put_entity, &x, &head, e) &&
              s->ops->rest(s, put_rest, &x, e) && data_dir_files(dir, put_file, &x, e) &&
              put_end(&x, &head, e);
    out->lines = x.line.count;
    line_writer_release(&x.line);
    arena_free(x.arena);
    return ok;
}
