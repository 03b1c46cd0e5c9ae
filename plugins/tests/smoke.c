/* The test type "smoke": is the model there, and is what it says sane? One question, in a second.
 */
#include "../shared/inputs.h"

#include <paddock/plugin.h>

static const paddock_field CONFIG[] = {
    INPUT_FIELDS,
    {"limit_ms", PADDOCK_FIELD_NUMBER, 0, 1, 3600000, "1000", NULL, NULL,
     "Longest time for being ready and answering once, in milliseconds."},
    {"output", PADDOCK_FIELD_TEXT, 0, 1, 256, NULL, NULL, NULL,
     "The output that `min` and `max` bound; left out: the first."},
    {"min", PADDOCK_FIELD_NUMBER, 0, 0, 0, NULL, NULL, NULL,
     "No element of that output may be smaller."},
    {"max", PADDOCK_FIELD_NUMBER, 0, 0, 0, NULL, NULL, NULL,
     "No element of that output may be larger."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static double ms_since(const paddock_host *h, uint64_t start_ns)
{
    return (double)(paddock_now_ns(h) - start_ns) / 1e6;
}

/* Here an absent model is what the test is about, so it fails; only a wrong description is an
 * error. */
static bool is_ready(paddock_test *t, uint64_t limit_ms)
{
    uint32_t error = paddock_ready(t->subject, limit_ms);
    if (error == PADDOCK_E_CONFIG) {
        paddock_error(t, "the model cannot be called: %s", paddock_model_message(t->subject));
        return false;
    }
    return paddock_check(t, error == PADDOCK_OK, "ready", "%s",
                         error == PADDOCK_OK ? "the model is ready"
                                             : paddock_model_message(t->subject));
}

static void check_range(paddock_test *t, const paddock_answer *a)
{
    const paddock_host *h = t->host;
    double min = paddock_number(h, t->config, "min"), max = paddock_number(h, t->config, "max");
    const char *name = paddock_text(h, t->config, "output");
    const paddock_tensor *out = paddock_output(a, name);
    if (isnan(min) && isnan(max) && !name)
        return;
    min = isnan(min) ? -INFINITY : min;
    max = isnan(max) ? INFINITY : max;
    paddock_check(t, out != NULL, "output", "there is %s output '%s'", out ? "an" : "no",
                  name ? name : "");
    if (!out)
        return;
    for (size_t i = 0; i < out->count; i++) {
        double x = paddock_element(h, out, i);
        if (!(x >= min && x <= max)) { /* NAN, and that of texts, is outside of any bounds */
            paddock_check(t, false, "range", "element %zu of '%s' is %g, not in %g..%g", i,
                          out->name, x, min, max);
            return;
        }
    }
    paddock_check(t, true, "range", "%zu elements of '%s' are in %g..%g", out->count, out->name,
                  min, max);
}

static void check_answer(paddock_test *t, const paddock_answer *a)
{
    size_t elements = 0;
    const char *output = "";
    for (uint32_t i = 0; i < a->n_outputs; i++)
        elements += a->outputs[i].count;
    paddock_check(t, elements > 0, "not_empty", "%u outputs with %zu elements", a->n_outputs,
                  elements);
    int64_t at = answer_not_finite(t->host, a, &output);
    if (at < 0)
        paddock_check(t, true, "finite", "all numbers are finite");
    else
        paddock_check(t, false, "finite", "element %lld of '%s' is not finite", (long long)at,
                      output);
    check_range(t, a);
}

static void run(paddock_test *t)
{
    const paddock_host *h = t->host;
    double limit_ms = paddock_number(h, t->config, "limit_ms");
    struct inputs in = {0};
    const paddock_tensor *tensors;
    uint64_t start = paddock_now_ns(h);
    if (!is_ready(t, (uint64_t)limit_ms) || !inputs_open(&in, t))
        return;
    size_t n = inputs_get(&in, t->subject, 0, &tensors);
    if (n == 0) {
        paddock_error(t, "the dataset does not fit the model: %s",
                      paddock_model_message(t->subject));
    } else {
        /* Twice the limit, so that a slow answer is still told from none. */
        paddock_request rq = {
            .inputs = tensors, .n_inputs = n, .timeout_ms = (uint64_t)(2 * limit_ms)};
        const paddock_answer *a = paddock_ask(t->subject, &rq);
        double took = ms_since(h, start);
        if (paddock_check(t, a->error == PADDOCK_OK, "answers", "%s",
                          a->error == PADDOCK_OK ? "the model answers" : a->message)) {
            check_answer(t, a);
            paddock_check(t, took <= limit_ms, "in_time", "ready and answered in %.1f ms of %g",
                          took, limit_ms);
            paddock_measure(t, &(paddock_measurement){.name = "first_answer",
                                                      .value = (double)a->duration_ns / 1e6,
                                                      .unit = "ms",
                                                      .samples = 1});
        }
    }
    inputs_close(&in);
}

PADDOCK_TEST("smoke", "1.0.0", "Alive and sane: ready, one answer, finite, in a second", CONFIG,
             run);
