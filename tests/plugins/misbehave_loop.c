/* Never ends. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "before", "all is well so far");
    for (volatile unsigned i = 0;; i++)
        ;
}

PADDOCK_TEST("test.loop", "1.0.0", "loops", NULL, run);
