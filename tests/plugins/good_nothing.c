/* The least that passes: its cost is the worker's own. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("test.nothing", "1.0.0", "passes", NULL, run);
