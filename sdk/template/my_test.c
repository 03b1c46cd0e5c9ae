/* A test: fails a model whose 99th percentile of latency exceeds `limit_ms`. */
#include <paddock/plugin.h>

static const paddock_field CONFIG[] = {
    {.name = "limit_ms",
     .type = PADDOCK_FIELD_NUMBER,
     .max = 60000,
     .preset = "50",
     .doc = "greatest p99, in ms"},
    {.name = NULL},
};

static void run(paddock_test *t)
{
    double limit = paddock_number(t->host, t->config, "limit_ms");
    const paddock_dataset *d = paddock_data(t, NULL);
    const paddock_tensor *inputs;
    if (!d || d->rows == 0) {
        paddock_skip(t, "there are no rows to ask about");
        return;
    }
    for (size_t i = 0; i < 1000 && !paddock_stop(t->host); i++) {
        size_t n = paddock_rows(t->subject, d, i % d->rows, 1, &inputs);
        const paddock_answer *a = paddock_infer(t->subject, inputs, n);
        if (a->error != PADDOCK_OK) {
            paddock_check(t, false, "answers", "row %zu: %s", i % d->rows, a->message);
            return;
        }
        paddock_sample(t, "latency_ms", (double)a->duration_ns / 1e6);
    }
    double p99 = paddock_quantile(t, "latency_ms", 0.99);
    paddock_check(t, p99 <= limit, "p99", "p99 %.3f ms, limit %.3f ms", p99, limit);
}

PADDOCK_TEST("org.example.template", "1.0.0", "p99 latency under a limit", CONFIG, run);
