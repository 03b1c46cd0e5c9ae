#include "judged.h"

#include "datatype.h"

#include <stdio.h>
#include <stdlib.h>

#define CLASSES_MAX 10000

/* The number of a class by its text; -1: none. */
static double class_of_text(const paddock_host *h, const paddock_value *classes,
                            const paddock_bytes *text)
{
    for (size_t k = 0; k < paddock_count(h, classes); k++) {
        const char *name = paddock_as_text(h, paddock_at(h, classes, k));
        if (strlen(name) == text->len && memcmp(name, text->data ? text->data : "", text->len) == 0)
            return (double)k;
    }
    return -1;
}

static double label_at(paddock_test *t, const struct reading *r, const paddock_tensor *label,
                       size_t i)
{
    if (label->datatype == PADDOCK_BYTES)
        return r->classes
                   ? class_of_text(t->host, r->classes, (const paddock_bytes *)label->data + i)
                   : (double)NAN;
    return paddock_element(t->host, label, i);
}

static bool label_fits(const struct reading *r, double x)
{
    double most = r->task == TASK_BINARY ? 1 : CLASSES_MAX - 1;
    return r->task == TASK_REGRESSION ? isfinite(x) : x >= 0 && x <= most && x == trunc(x);
}

double *read_labels(paddock_test *t, const struct reading *r, const paddock_dataset *d,
                    size_t *classes)
{
    if (!d->label || d->rows == 0) {
        paddock_error(t, "the dataset '%s' has no %s", d->name,
                      d->rows ? "label column: name it in the dataset" : "rows");
        return NULL;
    }
    if (d->label->count != d->rows) {
        paddock_error(t, "the label of dataset '%s' must be one value for each row", d->name);
        return NULL;
    }
    double *labels = malloc(d->rows * sizeof *labels);
    if (!labels) {
        paddock_error(t, "out of memory for %zu labels", d->rows);
        return NULL;
    }
    *classes = 0;
    for (size_t i = 0; i < d->rows; i++) {
        labels[i] = label_at(t, r, d->label, i);
        if (!label_fits(r, labels[i])) {
            paddock_error(t, "row %zu of dataset '%s' has a label that is %s", i + 1, d->name,
                          r->task == TASK_BINARY       ? "not 0 or 1 (texts need 'classes')"
                          : r->task == TASK_MULTICLASS ? "no class (texts need 'classes')"
                                                       : "no number");
            free(labels);
            return NULL;
        }
        if (r->task == TASK_MULTICLASS && (size_t)labels[i] >= *classes)
            *classes = (size_t)labels[i] + 1;
    }
    if (r->task != TASK_MULTICLASS)
        *classes = 1;
    return labels;
}

/* ---- Asking ---- */

/* Numbers for each row in an output of `rows` rows; 0: it has none. */
static size_t width_of(const paddock_tensor *out, size_t rows)
{
    bool by_row = out->rank >= 1 && out->shape[0] == (int64_t)rows;
    return by_row && out->datatype != PADDOCK_BYTES ? out->count / rows : 0;
}

struct asked {
    const struct reading *r;
    struct predictions *p;
    double *said;
    struct why *why;
};

static bool wrong(const struct asked *a, const paddock_tensor *out, const char *what)
{
    char shape[160];
    return say_why(a->why, "output '%s' is %s %s, but %s", out->name, datatype_name(out->datatype),
                   shape_text(out->shape, out->rank, shape, sizeof shape), what);
}

/* One row of an output into a row of `said`. Binary takes one probability, or two (of which the
 * second); several classes take as many, or the class's number. */
static bool take_row(const struct asked *a, const paddock_host *h, const paddock_tensor *out,
                     size_t width, size_t row, double *to)
{
    size_t classes = a->p->classes;
    bool number = a->p->task == TASK_MULTICLASS && width == 1;
    for (size_t k = 0; k < classes; k++) {
        size_t from = a->p->task == TASK_MULTICLASS ? k : width - 1;
        double x = paddock_element(h, out, row * width + (number ? 0 : from));
        if (!isfinite(x))
            return wrong(a, out, "it holds what is not finite");
        if (a->p->task != TASK_REGRESSION && !number && (x < 0 || x > 1))
            return wrong(a, out, "it holds what is no probability (0..1)");
        to[k] = number ? x == (double)k : x;
    }
    return true;
}

static bool take_rows(struct asked *a, const paddock_host *h, const paddock_tensor *out,
                      size_t first, size_t rows)
{
    size_t width = width_of(out, rows);
    if (width == 0)
        return wrong(a, out, "it should have numbers for each row asked");
    if (a->p->task == TASK_REGRESSION ? width != 1 : a->p->task == TASK_BINARY && width > 2)
        return wrong(a, out,
                     a->p->task == TASK_BINARY ? "a binary task takes one probability a "
                                                 "row, or two"
                                               : "a regression takes one number a row");
    if (first == 0) {
        if (a->p->task == TASK_MULTICLASS && width > a->p->classes)
            a->p->classes = width;
        a->said = calloc(a->p->n * a->p->classes, sizeof *a->said);
        a->p->said = a->said;
    }
    if (a->p->task == TASK_MULTICLASS && width != 1 && width != a->p->classes)
        return wrong(a, out, "the labels have more classes");
    if (!a->said)
        return say_why(a->why, "out of memory");
    for (size_t i = 0; i < rows; i++)
        if (!take_row(a, h, out, width, i, a->said + (first + i) * a->p->classes))
            return false;
    return true;
}

bool ask_all(paddock_test *t, paddock_model *m, const struct reading *r, const paddock_dataset *d,
             struct predictions *p, uint32_t *error, struct why *why)
{
    struct asked a = {r, p, NULL, why};
    p->said = NULL;
    for (size_t first = 0; first < d->rows; first += r->batch) {
        const paddock_tensor *in;
        size_t rows = d->rows - first < r->batch ? d->rows - first : r->batch;
        size_t n = paddock_rows(m, d, first, rows, &in);
        const paddock_answer *answer = n ? paddock_infer(m, in, n) : NULL;
        *error = answer ? answer->error : (uint32_t)PADDOCK_E_CONFIG;
        if (*error != PADDOCK_OK)
            return say_why(why, "rows %zu to %zu: %s", first + 1, first + rows,
                           answer ? answer->message : paddock_model_message(m));
        const paddock_tensor *out = paddock_output(answer, r->output);
        *error = PADDOCK_E_PROTOCOL;
        if (!out)
            return say_why(why, "there is no output '%s'", r->output ? r->output : "");
        if (!take_rows(&a, t->host, out, first, rows))
            return false;
    }
    *error = PADDOCK_OK;
    return true;
}
