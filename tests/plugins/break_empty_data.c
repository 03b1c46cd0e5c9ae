/* Believes that there are rows. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    const paddock_dataset *d = paddock_data(t, NULL);
    volatile size_t rows = d ? d->rows : 0, half = 1000 / rows;
    paddock_check(t, half > 0, "half", "%zu", half);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
