/* Believes that the output is there. */
#include <paddock/plugin.h>

/* The answer for row `i` of the first dataset; NULL if there is none. */
static const paddock_answer *ask(paddock_test *t, size_t i)
{
    const paddock_dataset *d = paddock_data(t, NULL);
    const paddock_tensor *inputs;
    if (!d || d->rows == 0)
        return NULL;
    size_t n = paddock_rows(t->subject, d, i % d->rows, 1, &inputs);
    return paddock_infer(t->subject, inputs, n);
}

static void run(paddock_test *t)
{
    const paddock_answer *a = ask(t, 0);
    if (!a) {
        paddock_skip(t, "no rows");
        return;
    }
    if (!paddock_check(t, a->error == PADDOCK_OK, "answers", "%s", a->message))
        return;
    const paddock_tensor *out = paddock_output(a, "probability");
    paddock_check(t, out->count == 1, "count", "%zu answers", out->count);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
