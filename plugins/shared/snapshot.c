#include "snapshot.h"

#include "datatype.h"

#include <stdio.h>
#include <stdlib.h>

static bool copy_texts(paddock_bytes *texts, const paddock_bytes *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = from[i].len ? malloc(from[i].len) : NULL;
        if (!text && from[i].len)
            return false;
        if (text)
            memcpy(text, from[i].data, from[i].len);
        texts[i] = (paddock_bytes){text, from[i].len};
    }
    return true;
}

static bool copy_output(paddock_tensor *to, const paddock_tensor *from)
{
    size_t size = datatype_size(from->datatype);
    *to = *from;
    to->name = strdup(from->name);
    void *data = calloc(from->count ? from->count : 1, size ? size : 1);
    to->data = data;
    if (!to->name || !data)
        return false;
    if (from->datatype == PADDOCK_BYTES)
        return copy_texts(data, from->data, from->count);
    if (from->count)
        memcpy(data, from->data, from->count * size);
    return true;
}

bool snapshot_take(struct snapshot *s, const paddock_answer *a)
{
    s->outputs = calloc(a->n_outputs ? a->n_outputs : 1, sizeof *s->outputs);
    s->n = 0;
    while (s->outputs && s->n < a->n_outputs) {
        bool copied = copy_output(&s->outputs[s->n], &a->outputs[s->n]);
        s->n++;
        if (!copied)
            break;
    }
    if (s->outputs && s->n == a->n_outputs)
        return true;
    snapshot_release(s);
    return false;
}

void snapshot_release(struct snapshot *s)
{
    for (size_t i = 0; s->outputs && i < s->n; i++) {
        paddock_tensor *t = &s->outputs[i];
        for (size_t k = 0; t->datatype == PADDOCK_BYTES && t->data && k < t->count; k++)
            free((void *)((const paddock_bytes *)t->data)[k].data);
        free((void *)t->data);
        free((void *)t->name);
    }
    free(s->outputs);
    *s = (struct snapshot){0};
}

static bool same_element(const paddock_host *h, const paddock_tensor *a, size_t i,
                         const paddock_tensor *b, size_t k, double tolerance)
{
    if (a->datatype == PADDOCK_BYTES) {
        const paddock_bytes *x = (const paddock_bytes *)a->data + i;
        const paddock_bytes *y = (const paddock_bytes *)b->data + k;
        return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
    }
    double x = paddock_element(h, a, i), y = paddock_element(h, b, k);
    return fabs(x - y) <= tolerance * (1 + fabs(x)) || (isnan(x) && isnan(y)) || x == y;
}

/* `n` elements of `a` from `from` on against those of `b` from 0 on. */
static bool same_elements(const paddock_host *h, const paddock_tensor *a, size_t from,
                          const paddock_tensor *b, size_t n, double tolerance, struct why *why)
{
    for (size_t i = 0; i < n; i++)
        if (!same_element(h, a, from + i, b, i, tolerance))
            return say_why(why, "element %zu of '%s' is %.9g and %.9g", from + i, a->name,
                           paddock_element(h, a, from + i), paddock_element(h, b, i));
    return true;
}

static bool same_shape(const paddock_tensor *a, const paddock_tensor *b)
{
    return a->datatype == b->datatype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

static const paddock_tensor *find(const paddock_answer *a, const char *name, struct why *why)
{
    const paddock_tensor *b = paddock_output(a, name);
    if (!b)
        say_why(why, "the output '%s' is there only once", name);
    return b;
}

bool snapshot_same(const struct snapshot *s, const paddock_host *h, const paddock_answer *answer,
                   double tolerance, struct why *why)
{
    for (size_t i = 0; i < s->n; i++) {
        const paddock_tensor *a = &s->outputs[i], *b = find(answer, a->name, why);
        if (!b)
            return false;
        if (!same_shape(a, b))
            return say_why(why, "the output '%s' changed its shape or datatype", a->name);
        if (!same_elements(h, a, 0, b, a->count, tolerance, why))
            return false;
    }
    return true;
}

bool snapshot_same_row(const struct snapshot *s, const paddock_host *h, size_t row, size_t rows,
                       const paddock_answer *answer, double tolerance, struct why *why)
{
    for (size_t i = 0; i < s->n; i++) {
        const paddock_tensor *a = &s->outputs[i], *b = find(answer, a->name, why);
        if (!b)
            return false;
        if (a->rank == 0 || b->rank != a->rank || a->shape[0] != (int64_t)rows || b->shape[0] != 1)
            continue;
        size_t width = a->count / rows;
        if (b->count != width || b->datatype != a->datatype)
            return say_why(why, "the output '%s' has another shape for one row", a->name);
        if (!same_elements(h, a, row * width, b, width, tolerance, why))
            return false;
    }
    return true;
}
