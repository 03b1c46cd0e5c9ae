/* JSON lines: an object a row. The first row names the columns and their types: numbers and null
 * are FP64, truth values BOOL, texts BYTES, arrays of numbers FP64 of that many extents. A missing
 * or null number is NAN. */
#include "base/json.h"
#include "worker/dataset.h"

#include <math.h>
#include <string.h>

struct rows {
    const char *at, *end;
    size_t line;
    struct dataset *d;
    struct err *e;
};

static bool is_blank(const char *text, size_t len)
{
    while (len && (*text == ' ' || *text == '\t' || *text == '\r')) {
        text++;
        len--;
    }
    return len == 0;
}

/* The next line that is not blank; NULL at the end or with an error in r->e. */
static json_t *next_row(struct rows *r, bool *ok)
{
    struct err why;
    *ok = true;
    while (r->at < r->end) {
        const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
        const char *from = r->at;
        size_t len = (size_t)((newline ? newline : r->end) - from);
        r->at += len + (newline != NULL);
        r->line++;
        if (is_blank(from, len))
            continue;
        json_t *row = json_read(from, len, &why);
        if (json_is_object(row))
            return row;
        json_decref(row);
        fail(r->e, &ERR_INVALID, "line %zu: %s", r->line, row ? "no JSON object" : why.detail);
        *ok = false;
        return NULL;
    }
    return NULL;
}

static bool count_rows(struct rows r, size_t *n)
{
    const char *at = r.at;
    *n = 0;
    while (at < r.end) { /* blank lines make it an upper bound, which is enough */
        const char *newline = memchr(at, '\n', (size_t)(r.end - at));
        at = newline ? newline + 1 : r.end;
        (*n)++;
    }
    return *n > 0 || fail(r.e, &ERR_INVALID, "it has no row");
}

static bool make_column(struct rows *r, const char *name, const json_t *value, size_t rows,
                        paddock_tensor *out)
{
    size_t width = json_is_array(value) ? json_array_size(value) : 1;
    *out = (paddock_tensor){
        .name = arena_text(r->d->arena, name),
        .datatype = json_is_boolean(value)  ? PADDOCK_BOOL
                    : json_is_string(value) ? PADDOCK_BYTES
                                            : PADDOCK_FP64,
        .rank = json_is_array(value) ? 2 : 1,
        .shape = {(int64_t)rows, (int64_t)width},
    };
    if (json_is_object(value) || width == 0)
        return fail(r->e, &ERR_INVALID, "line 1: '%s' is an object or an empty array", name);
    out->data = dataset_memory(r->d, rows * width, out->datatype);
    return out->data || fail(r->e, &ERR_INVALID, "no memory for %zu rows", rows);
}

static bool make_columns(struct rows *r, const json_t *row, size_t rows)
{
    size_t n = json_object_size(row), i = 0;
    const char *key;
    json_t *value;
    if (n == 0 || n > DATASET_COLUMNS)
        return fail(r->e, &ERR_INVALID, "line 1: 1 to %d members are wanted", DATASET_COLUMNS);
    paddock_tensor *columns = dataset_columns(r->d, n);
    if (!columns)
        return fail(r->e, &ERR_INVALID, "no memory for %zu columns", n);
    json_object_foreach((json_t *)(uintptr_t)row, key, value)
        if (!make_column(r, key, value, rows, &columns[i++]))
            return false;
    return true;
}

static bool keep_text(struct rows *r, paddock_bytes *out, const json_t *value)
{
    char *copy = arena_alloc(r->d->arena, json_string_length(value) + 1);
    if (!copy)
        return false;
    memcpy(copy, json_string_value(value), json_string_length(value) + 1);
    *out = (paddock_bytes){.data = copy, .len = json_string_length(value)};
    return true;
}

static bool keep_value(struct rows *r, const paddock_tensor *column, size_t row,
                       const json_t *value)
{
    void *data = (void *)(uintptr_t)column->data;
    bool absent = !value || json_is_null(value);
    if (column->rank == 2) {
        size_t width = (size_t)column->shape[1];
        double *to = (double *)data + row * width;
        if (json_array_size(value) != width)
            return fail(r->e, &ERR_INVALID, "line %zu: '%s' must have %zu numbers", r->line,
                        column->name, width);
        for (size_t i = 0; i < width; i++) {
            const json_t *item = json_array_get(value, i);
            if (!json_is_number(item) && !json_is_null(item))
                return fail(r->e, &ERR_INVALID, "line %zu: '%s' must have %zu numbers", r->line,
                            column->name, width);
            to[i] = json_is_null(item) ? (double)NAN : json_number_value(item);
        }
        return true;
    }
    if (column->datatype == PADDOCK_FP64 && (absent || json_is_number(value))) {
        ((double *)data)[row] = absent ? (double)NAN : json_number_value(value);
        return true;
    }
    if (column->datatype == PADDOCK_BOOL && json_is_boolean(value)) {
        ((uint8_t *)data)[row] = json_is_true(value);
        return true;
    }
    if (column->datatype == PADDOCK_BYTES && (absent || json_is_string(value)))
        return absent || keep_text(r, &((paddock_bytes *)data)[row], value) ||
               fail(r->e, &ERR_INVALID, "no memory for the texts");
    return fail(r->e, &ERR_INVALID, "line %zu: '%s' is of another type than in line 1", r->line,
                column->name);
}

static bool keep_row(struct rows *r, const json_t *row, size_t at)
{
    size_t found = 0;
    for (size_t i = 0; i < r->d->pub.n_columns; i++) {
        const json_t *value = json_object_get(row, r->d->pub.columns[i].name);
        found += value != NULL;
        if (!keep_value(r, &r->d->pub.columns[i], at, value))
            return false;
    }
    return found == json_object_size(row) ||
           fail(r->e, &ERR_INVALID, "line %zu has a member that line 1 has not", r->line);
}

bool jsonl_parse(const char *text, size_t len, struct dataset *d, struct err *e)
{
    struct rows r = {.at = text, .end = text + len, .d = d, .e = e};
    size_t room, n = 0;
    bool ok;
    if (!count_rows(r, &room))
        return false;
    for (json_t *row; (row = next_row(&r, &ok)); n++) {
        ok = (n > 0 || make_columns(&r, row, room)) && keep_row(&r, row, n);
        json_decref(row);
        if (!ok)
            return false;
    }
    if (!ok || n == 0)
        return ok ? fail(e, &ERR_INVALID, "it has no row") : false;
    paddock_tensor *columns = (paddock_tensor *)(uintptr_t)d->pub.columns;
    for (size_t i = 0; i < d->pub.n_columns; i++) {
        columns[i].shape[0] = (int64_t)n;
        columns[i].count = n * (columns[i].rank == 2 ? (size_t)columns[i].shape[1] : 1);
    }
    d->pub.rows = n;
    return true;
}
