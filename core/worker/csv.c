/* CSV as RFC 4180 has it: a header, commas, quotes doubled within quotes, any line end. A column is
 * numbers if each of its cells is one or empty, truth values if each is true or false, else texts.
 */
#include "worker/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct csv {
    const char *at, *end;
    size_t line;
    char *cell; /* the last one, unquoted, ended by NUL */
    size_t len, cap;
    struct dataset *d;
    struct err *e;
};

enum cell_end { CELL_COMMA, CELL_LINE, CELL_BAD };

static bool put(struct csv *c, char byte)
{
    if (c->len + 1 >= c->cap)
        return fail(c->e, &ERR_INVALID, "line %zu: a cell has more than %zu bytes", c->line,
                    c->cap - 2);
    c->cell[c->len++] = byte;
    return true;
}

static bool read_quoted(struct csv *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"') {
            if (c->at + 1 == c->end || c->at[1] != '"') {
                c->at++;
                return true;
            }
            c->at++;
        }
        c->line += *c->at == '\n';
        if (!put(c, *c->at))
            return false;
    }
    return fail(c->e, &ERR_INVALID, "line %zu: a quote is not closed", c->line);
}

static enum cell_end read_cell(struct csv *c)
{
    c->len = 0;
    if (c->at < c->end && *c->at == '"') {
        if (!read_quoted(c))
            return CELL_BAD;
    } else {
        while (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r')
            if (!put(c, *c->at++))
                return CELL_BAD;
    }
    c->cell[c->len] = '\0';
    if (c->at < c->end && *c->at == ',') {
        c->at++;
        return CELL_COMMA;
    }
    if (c->at < c->end && *c->at == '\r')
        c->at++;
    if (c->at < c->end && *c->at == '\n')
        c->at++;
    else if (c->at < c->end) {
        fail(c->e, &ERR_INVALID, "line %zu: text after a closing quote", c->line);
        return CELL_BAD;
    }
    c->line++;
    return CELL_LINE;
}

static bool read_header(struct csv *c)
{
    static const char *names[DATASET_COLUMNS];
    size_t n = 0;
    enum cell_end end;
    do {
        end = read_cell(c);
        if (end == CELL_BAD)
            return false;
        if (n == DATASET_COLUMNS || c->len == 0)
            return fail(c->e, &ERR_INVALID,
                        "the header has more than %d columns, or one without a name",
                        DATASET_COLUMNS);
        names[n++] = arena_copy(c->d->arena, c->cell, c->len);
    } while (end == CELL_COMMA);
    paddock_tensor *columns = dataset_columns(c->d, n);
    if (!columns)
        return fail(c->e, &ERR_INVALID, "no memory for %zu columns", n);
    for (size_t i = 0; i < n; i++)
        columns[i].name = names[i];
    return true;
}

/* ---- what is in the columns ---- */

static bool to_number(const char *text, size_t len, double *out)
{
    char *end;
    if (len == 0) {
        *out = NAN;
        return true;
    }
    if (*text == ' ' || *text == '\t')
        return false;
    *out = strtod(text, &end);
    return end == text + len;
}

static int to_truth(const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0)
        return 1;
    if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0)
        return 0;
    return -1;
}

/* Narrow down the type of a column by one more cell. */
static void weigh_cell(const struct csv *c, paddock_tensor *column)
{
    double number;
    if (column->datatype == 0 || column->datatype == PADDOCK_BOOL) {
        if (to_truth(c->cell) >= 0) {
            column->datatype = PADDOCK_BOOL;
            return;
        }
        column->datatype = column->datatype == 0 ? PADDOCK_FP64 : PADDOCK_BYTES;
    }
    if (column->datatype == PADDOCK_FP64 && !to_number(c->cell, c->len, &number))
        column->datatype = PADDOCK_BYTES;
}

static bool keep_cell(const struct csv *c, paddock_tensor *column, size_t row)
{
    void *data = (void *)(uintptr_t)column->data;
    if (column->datatype == PADDOCK_FP64)
        return to_number(c->cell, c->len, &((double *)data)[row]);
    if (column->datatype == PADDOCK_BOOL) {
        ((uint8_t *)data)[row] = to_truth(c->cell) == 1;
        return true;
    }
    char *copy = arena_alloc(c->d->arena, c->len + 1);
    if (!copy)
        return false;
    memcpy(copy, c->cell, c->len + 1);
    ((paddock_bytes *)data)[row] = (paddock_bytes){.data = copy, .len = c->len};
    return true;
}

/* One walk over all rows; the first finds the types, the second keeps the values. */
static bool walk(struct csv *c, bool keep, size_t *rows)
{
    paddock_tensor *columns = (paddock_tensor *)(uintptr_t)c->d->pub.columns;
    size_t n = c->d->pub.n_columns;
    for (*rows = 0; c->at < c->end; (*rows)++) {
        size_t line = c->line, i = 0;
        enum cell_end end;
        do {
            end = read_cell(c);
            if (end == CELL_BAD)
                return false;
            if (i == n) {
                i++; /* one too many */
                break;
            }
            if (!keep)
                weigh_cell(c, &columns[i]);
            else if (!keep_cell(c, &columns[i], *rows))
                return fail(c->e, &ERR_INVALID, "no memory for the texts");
            i++;
        } while (end == CELL_COMMA);
        if (i != n || end == CELL_COMMA)
            return fail(c->e, &ERR_INVALID, "line %zu has not the %zu cells of the header", line,
                        n);
    }
    return true;
}

static bool make_columns(struct csv *c, size_t rows)
{
    paddock_tensor *columns = (paddock_tensor *)(uintptr_t)c->d->pub.columns;
    for (size_t i = 0; i < c->d->pub.n_columns; i++) {
        paddock_tensor *column = &columns[i];
        if (column->datatype == 0)
            column->datatype = PADDOCK_FP64;
        column->rank = 1;
        column->shape[0] = (int64_t)rows;
        column->count = rows;
        column->data = dataset_memory(c->d, rows, column->datatype);
        if (!column->data)
            return fail(c->e, &ERR_INVALID, "no memory for %zu rows", rows);
    }
    c->d->pub.rows = rows;
    return true;
}

bool csv_parse(const char *text, size_t len, struct dataset *d, struct err *e)
{
    struct csv c = {.at = text, .end = text + len, .line = 1, .cap = 1 << 16, .d = d, .e = e};
    size_t rows;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c.at += 3;
    c.cell = arena_alloc(d->arena, c.cap);
    if (!c.cell)
        return fail(e, &ERR_INVALID, "no memory");
    if (!read_header(&c))
        return false;
    struct csv first = c;
    return walk(&first, false, &rows) && make_columns(&c, rows) && walk(&c, true, &rows);
}
