/* Rows of a dataset as a model's inputs. */
#include "base/mem.h"
#include "worker/host_parts.h"
#include "worker/model.h"
#include "worker/run.h"
#include "worker/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements of one row of a column. */
static size_t width_of(const paddock_tensor *column)
{
    size_t n = 1;
    for (uint32_t i = 1; i < column->rank; i++)
        n *= (size_t)column->shape[i];
    return n;
}

static size_t total_width(const paddock_dataset *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_columns; i++)
        n += width_of(&d->columns[i]);
    return n;
}

/* Room for `n` inputs with up to `bytes` each, kept from ask to ask. */
static bool make_room(struct slot *slot, size_t n, size_t bytes)
{
    if (n <= slot->n_rows && bytes <= slot->row_bytes)
        return true;
    if (n > MODEL_OUTPUTS || bytes > MODEL_OUTPUT_MAX)
        return false;
    size_t inputs = n > slot->n_rows ? n : slot->n_rows;
    bytes = bytes > slot->row_bytes ? bytes : slot->row_bytes;
    slot->rows = mem_resize(slot->rows, inputs, sizeof *slot->rows);
    slot->row_data = mem_resize(slot->row_data, inputs, sizeof *slot->row_data);
    for (size_t i = 0; i < inputs; i++)
        slot->row_data[i] = mem_resize(i < slot->n_rows ? slot->row_data[i] : NULL, bytes, 1);
    slot->n_rows = inputs;
    slot->row_bytes = bytes;
    return true;
}

/* Rows first.. of a column into elements `at`, `at + stride`, ... of an input. */
struct target {
    void *data;
    uint32_t datatype;
    size_t at, stride;
};

static bool copy_column(const paddock_tensor *column, size_t first, size_t rows,
                        const struct target *to)
{
    size_t width = width_of(column);
    bool bytes = column->datatype == PADDOCK_BYTES;
    if (bytes != (to->datatype == PADDOCK_BYTES))
        return false;
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < width; i++) {
            size_t from = (first + row) * width + i, at = to->at + row * to->stride + i;
            if (bytes)
                ((paddock_bytes *)to->data)[at] = ((const paddock_bytes *)column->data)[from];
            else
                tensor_store(to->data, to->datatype, at, tensor_element(column, from));
        }
    return true;
}

struct wanted {
    struct slot *slot;
    struct call *call;
    const paddock_dataset *d;
    size_t first, rows;
};

static bool misfit(const struct wanted *w, const char *input, const char *why)
{
    model_call_fail(w->call, PADDOCK_E_INPUT, "the dataset '%s' does not fit the input '%s': %s",
                    w->d->name, input, why);
    return false;
}

/* All columns side by side: [rows, width]. The last extents of what is asked for must agree. */
static bool fill_matrix(const struct wanted *w, const paddock_tensor *like)
{
    size_t width = total_width(w->d), asked = 1;
    bool fixed = like->rank > 1;
    for (uint32_t i = 1; i < like->rank; i++) {
        fixed = fixed && like->shape[i] >= 0;
        asked *= like->shape[i] >= 0 ? (size_t)like->shape[i] : 1;
    }
    if (fixed && asked != width)
        return misfit(w, like->name, "it has another number of columns");
    if (!make_room(w->slot, 1, w->rows * width * tensor_element_size(like->datatype)))
        return misfit(w, like->name, "too many rows at once");
    paddock_tensor *out = &w->slot->rows[0];
    *out = (paddock_tensor){.name = like->name,
                            .datatype = like->datatype,
                            .rank = 2,
                            .shape = {(int64_t)w->rows, (int64_t)width},
                            .data = w->slot->row_data[0],
                            .count = w->rows * width};
    if (fixed && like->rank > 2) {
        out->rank = like->rank;
        memcpy(&out->shape[1], &like->shape[1], (like->rank - 1) * sizeof out->shape[0]);
    }
    struct target to = {.data = w->slot->row_data[0], .datatype = like->datatype, .stride = width};
    for (size_t i = 0; i < w->d->n_columns; i++) {
        if (!copy_column(&w->d->columns[i], w->first, w->rows, &to))
            return misfit(w, like->name, "texts and numbers do not go together");
        to.at += width_of(&w->d->columns[i]);
    }
    return true;
}

/* One column for each input, by name. */
static bool fill_named(const struct wanted *w, const paddock_metadata *m)
{
    size_t most = 0;
    for (size_t i = 0; i < m->n_inputs; i++) {
        const paddock_tensor *column = paddock_column(w->d, m->inputs[i].name);
        if (!column)
            return misfit(w, m->inputs[i].name, "there is no column of that name");
        size_t bytes = w->rows * width_of(column) * tensor_element_size(m->inputs[i].datatype);
        most = bytes > most ? bytes : most;
    }
    if (!make_room(w->slot, m->n_inputs, most))
        return misfit(w, m->inputs[0].name, "too many rows at once");
    for (size_t i = 0; i < m->n_inputs; i++) {
        const paddock_tensor *like = &m->inputs[i], *column = paddock_column(w->d, like->name);
        size_t width = width_of(column);
        struct target to = {
            .data = w->slot->row_data[i], .datatype = like->datatype, .stride = width};
        paddock_tensor *out = &w->slot->rows[i];
        *out = (paddock_tensor){.name = like->name,
                                .datatype = like->datatype,
                                .rank = like->rank > 1 && column->rank == 1 ? 2 : column->rank,
                                .data = to.data,
                                .count = w->rows * width};
        memcpy(out->shape, column->shape, sizeof out->shape);
        out->shape[0] = (int64_t)w->rows;
        if (out->rank == 2 && column->rank == 1)
            out->shape[1] = 1;
        if (!copy_column(column, w->first, w->rows, &to))
            return misfit(w, like->name, "texts and numbers do not go together");
    }
    return true;
}

size_t host_rows(paddock_model *pub, const paddock_dataset *d, size_t first, size_t n,
                 const paddock_tensor **inputs)
{
    static const paddock_tensor plain = {.name = "input", .datatype = PADDOCK_FP32};
    struct model *m = (struct model *)pub;
    struct slot *slot = model_slot(m);
    struct call call;
    *inputs = NULL;
    if (!slot)
        return 0;
    const paddock_metadata *metadata = host_metadata(pub, 0);
    model_call_start(&call, slot, 0);
    if (!d || first >= d->rows || n == 0 || d->n_columns == 0) {
        model_call_fail(&call, PADDOCK_E_INPUT, "the dataset has no such rows or no columns");
        return 0;
    }
    struct wanted w = {.slot = slot,
                       .call = &call,
                       .d = d,
                       .first = first,
                       .rows = n < d->rows - first ? n : d->rows - first};
    bool named = metadata && metadata->n_inputs > 1;
    const paddock_tensor *like =
        metadata && metadata->n_inputs == 1 ? &metadata->inputs[0] : &plain;
    if (!(named ? fill_named(&w, metadata) : fill_matrix(&w, like)))
        return 0;
    *inputs = slot->rows;
    return named ? metadata->n_inputs : 1;
}
