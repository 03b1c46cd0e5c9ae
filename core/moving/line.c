#include "moving/line.h"

#include "base/base64.h"
#include "base/hash.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)256 << 10)
/* ,"sum":"0123456789abcdef"} */
#define SUM_SIZE 26

/* --- writing --- */

void line_writer_init(struct line_writer *w, FILE *file)
{
    *w = (struct line_writer){.file = file, .text = BYTES_INIT(LINE_MAX_BYTES)};
}

void line_writer_release(struct line_writer *w)
{
    bytes_release(&w->text);
}

void line_begin(struct line_writer *w, const char *kind)
{
    bytes_clear(&w->text);
    bytes_char(&w->text, '{');
    json_kv_string(&w->text, "kind", kind);
}

void line_put_data(struct line_writer *w, const char *name, const void *data, size_t len)
{
    json_key(&w->text, name);
    bytes_char(&w->text, '"');
    char *to = bytes_room(&w->text, BASE64_SIZE(len));
    if (to) {
        base64_encode(data, len, to);
        w->text.len += BASE64_SIZE(len) - 1;
    }
    bytes_char(&w->text, '"');
}

bool line_end(struct line_writer *w, struct err *e)
{
    struct bytes *b = &w->text;
    w->count++;
    w->sum = hash64(b->data, b->len, w->sum);
    bytes_printf(b, ",\"sum\":\"%016" PRIx64 "\"}\n", w->sum);
    if (b->full)
        return fail(e, &ERR_INTERNAL, "line %" PRIu64 " would be too long", w->count);
    return fwrite(b->data, 1, b->len, w->file) == b->len ||
           fail_errno(e, &ERR_IO, "cannot write the export");
}

/* --- reading --- */

void line_reader_init(struct line_reader *r, FILE *file)
{
    *r = (struct line_reader){.file = file};
}

void line_reader_release(struct line_reader *r)
{
    json_decref(r->object);
    free(r->buffer);
    *r = (struct line_reader){0};
}

bool line_wrong(const struct line_reader *r, struct err *e, const char *what)
{
    return fail(e, &ERR_CORRUPT, "line %" PRIu64 ": %s", r->count, what);
}

/* Read on behind `len`; 0: there is nothing more. */
static size_t read_on(struct line_reader *r)
{
    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, r->len - r->at);
        r->len -= r->at;
        r->at = 0;
    }
    if (r->cap - r->len < CHUNK) {
        r->cap = r->cap ? r->cap * 2 : 2 * CHUNK;
        r->buffer = mem_resize(r->buffer, r->cap, 1);
    }
    size_t n = fread(r->buffer + r->len, 1, CHUNK, r->file);
    r->len += n;
    return n;
}

static bool find_line(struct line_reader *r, char **line, size_t *len, struct err *e)
{
    size_t seen = 0;
    for (;;) {
        size_t left = r->len - r->at;
        char *from = left ? r->buffer + r->at : NULL;
        char *end = left > seen ? memchr(from + seen, '\n', left - seen) : NULL;
        if (end) {
            *line = from;
            *len = (size_t)(end - from);
            r->at += *len + 1;
            return true;
        }
        seen = left;
        if (seen > LINE_MAX_BYTES)
            return line_wrong(r, e, "it is too long for a line of an export");
        if (read_on(r) > 0)
            continue;
        if (ferror(r->file))
            return line_wrong(r, e, "the file cannot be read");
        return line_wrong(r, e,
                          seen ? "the file ends in the middle of it"
                               : "the file ends here, but not with the line that ends an "
                                 "export: it was cut short");
    }
}

bool line_next(struct line_reader *r, struct err *e)
{
    char *line = NULL, sum[SUM_SIZE + 1];
    size_t len = 0;
    struct err why = {0};
    r->count++;
    json_decref(r->object);
    r->object = NULL;
    if (!find_line(r, &line, &len, e))
        return false;
    r->object = json_read(line, len, &why);
    if (len <= SUM_SIZE || !json_is_object(r->object))
        return line_wrong(r, e, "it is damaged, or no line of an export");
    r->sum = hash64(line, len - SUM_SIZE, r->sum);
    snprintf(sum, sizeof sum, ",\"sum\":\"%016" PRIx64 "\"}", r->sum);
    return memcmp(sum, line + len - SUM_SIZE, SUM_SIZE) == 0 ||
           line_wrong(r, e, "it is damaged, or one before it is missing (its checksum)");
}

bool line_is_last(struct line_reader *r)
{
    return r->at == r->len && read_on(r) == 0 && !ferror(r->file);
}

static bool missing(const struct line_reader *r, const char *name, struct err *e)
{
    char what[96];
    snprintf(what, sizeof what, "it has no good \"%.48s\"", name);
    return line_wrong(r, e, what);
}

bool line_text(struct line_reader *r, const char *name, const char **out, struct err *e)
{
    *out = json_string_value(json_object_get(r->object, name));
    return *out || missing(r, name, e);
}

bool line_text_or_null(struct line_reader *r, const char *name, const char **out, struct err *e)
{
    const json_t *value = json_object_get(r->object, name);
    *out = json_string_value(value);
    return *out || !value || json_is_null(value) || missing(r, name, e);
}

bool line_int(struct line_reader *r, const char *name, int64_t *out, struct err *e)
{
    const json_t *value = json_object_get(r->object, name);
    *out = json_integer_value(value);
    return json_is_integer(value) || missing(r, name, e);
}

bool line_data(struct line_reader *r, const char *name, void **out, size_t *len, struct err *e)
{
    const char *text;
    if (!line_text(r, name, &text, e))
        return false;
    size_t max = strlen(text) / 4 * 3;
    *out = mem_alloc(max + 1);
    if (base64_decode(text, *out, max, len))
        return true;
    free(*out);
    *out = NULL;
    return missing(r, name, e);
}
