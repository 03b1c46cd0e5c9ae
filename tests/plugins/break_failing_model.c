/* Asks the model and does not look at what it says. */
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
    ask(t, 0);
    paddock_check(t, true, "asked", "it was asked");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
