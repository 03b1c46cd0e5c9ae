/* Measures what is no number. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    const paddock_measurement m = {.name = "nothing", .value = NAN};
    paddock_check(t, true, "ran", "it ran");
    paddock_measure(t, &m);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
