#include "inputs.h"

#include <stdlib.h>

bool inputs_open(struct inputs *in, paddock_test *t)
{
    const paddock_host *h = t->host;
    const paddock_value *given = paddock_get(h, t->config, "inputs");
    struct why why = {""};
    *in = (struct inputs){.rows = (size_t)paddock_integer(h, t->config, "rows")};
    in->rows = in->rows ? in->rows : 1;
    if (given) {
        if (tensors_read(&in->fixed, h, given, &why))
            return true;
        paddock_error(t, "configuration: %s", why.text);
        return false;
    }
    in->data = paddock_data(t, paddock_text(h, t->config, "dataset"));
    if (in->data && in->data->rows)
        return true;
    const paddock_metadata *md = paddock_metadata_of(t->subject, 0);
    if (!md || md->n_inputs == 0) {
        const char *message = paddock_model_message(t->subject);
        paddock_error(t,
                      "nothing to ask: no inputs in the configuration, no dataset with rows, and "
                      "the model does not describe its inputs%s%s",
                      *message ? ": " : "", message);
        return false;
    }
    if (tensors_of_zeros(&in->fixed, md, in->rows, &why))
        return true;
    paddock_error(t, "%s", why.text);
    return false;
}

size_t inputs_get(const struct inputs *in, paddock_model *m, uint64_t turn,
                  const paddock_tensor **out)
{
    if (in->fixed.n) {
        *out = in->fixed.items;
        return in->fixed.n;
    }
    /* Whole questions only, so that all cost the same; at least one. */
    size_t rows = in->rows < in->data->rows ? in->rows : in->data->rows;
    size_t first = (size_t)(turn % (in->data->rows / rows)) * rows;
    return paddock_rows(m, in->data, first, rows, out);
}

void inputs_close(struct inputs *in)
{
    tensors_free(&in->fixed);
}

const char *error_name(uint32_t error)
{
    static const char *const NAMES[] = {"ok",    "config", "unavailable", "timeout",   "not_found",
                                        "input", "model",  "protocol",    "cancelled", "internal"};
    return error < sizeof NAMES / sizeof *NAMES ? NAMES[error] : "internal";
}

bool answer_judged(paddock_test *t, const paddock_answer *a, const char *name, const char *what)
{
    switch (a->error) {
    case PADDOCK_OK: return true;
    case PADDOCK_E_CONFIG:
    case PADDOCK_E_UNAVAILABLE:
    case PADDOCK_E_NOT_FOUND:
    case PADDOCK_E_CANCELLED:
    case PADDOCK_E_INTERNAL:
        paddock_error(t, "%s: %s (%s)", what, a->message, error_name(a->error));
        return false;
    default:
        paddock_check(t, false, name, "%s: %s (%s)", what, a->message, error_name(a->error));
        return false;
    }
}

int64_t answer_not_finite(const paddock_host *h, const paddock_answer *a, const char **output)
{
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const paddock_tensor *t = &a->outputs[i];
        if (t->datatype != PADDOCK_FP16 && t->datatype != PADDOCK_FP32 &&
            t->datatype != PADDOCK_FP64)
            continue;
        *output = t->name;
        for (size_t k = 0; k < t->count; k++)
            if (!isfinite(paddock_element(h, t, k)))
                return (int64_t)k;
    }
    return -1;
}
