/* Are the model's probabilities honest? Of all rows that it gives 70 %, about 70 % should be
 * positive. Fails a model whose expected calibration error exceeds `limit_ratio`. */
#include <paddock/plugin.h>

#define BINS 10

static const paddock_field CONFIG[] = {
    {.name = "limit_ratio",
     .type = PADDOCK_FIELD_NUMBER,
     .max = 1,
     .preset = "0.1",
     .doc = "greatest expected calibration error, 0..1"},
    {.name = "output",
     .type = PADDOCK_FIELD_TEXT,
     .min = 1,
     .max = 200,
     .doc = "name of the output with the probability; the first if not given"},
    {.name = NULL},
};

struct bin {
    double probability, positive; /* sums */
    size_t n;
};

static bool ask_all(paddock_test *t, const paddock_dataset *d, struct bin bins[BINS])
{
    const char *name = paddock_text(t->host, t->config, "output");
    const paddock_tensor *inputs;
    for (size_t row = 0; row < d->rows && !paddock_stop(t->host); row++) {
        size_t n = paddock_rows(t->subject, d, row, 1, &inputs);
        const paddock_answer *a = paddock_infer(t->subject, inputs, n);
        const paddock_tensor *out = paddock_output(a, name);
        double p = out ? paddock_element(t->host, out, 0) : NAN;
        if (!(p >= 0 && p <= 1))
            return paddock_check(t, false, "probability", "row %zu: %s", row,
                                 a->error ? a->message : "the output is no probability");
        struct bin *b = &bins[p < 1 ? (int)(p * BINS) : BINS - 1];
        b->probability += p;
        b->positive += paddock_element(t->host, d->label, row);
        b->n++;
    }
    return true;
}

static void run(paddock_test *t)
{
    struct bin bins[BINS] = {{0, 0, 0}};
    double error = 0, limit = paddock_number(t->host, t->config, "limit_ratio");
    size_t n = 0;
    const paddock_dataset *d = paddock_data(t, NULL);
    if (!d || !d->label || d->rows == 0) {
        paddock_skip(t, "there are no rows with labels");
        return;
    }
    if (!ask_all(t, d, bins))
        return;
    for (int i = 0; i < BINS; i++) {
        double difference = bins[i].probability - bins[i].positive;
        error += difference < 0 ? -difference : difference;
        n += bins[i].n;
    }
    error /= (double)(n ? n : 1);
    paddock_check(t, error <= limit, "calibration",
                  "expected calibration error %.4f of %zu rows, limit %.4f", error, n, limit);
    paddock_measurement m = {.name = "calibration_error",
                             .value = error,
                             .unit = "1",
                             .better = PADDOCK_LOWER,
                             .samples = n};
    paddock_measure(t, &m);
}

PADDOCK_TEST("org.example.calibration", "1.0.0", "probabilities mean what they say", CONFIG, run);
