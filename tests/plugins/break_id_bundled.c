/* An id as those of bundled plugins: a warning. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("broken", "1.0.0", "breaks a rule", NULL, run);
