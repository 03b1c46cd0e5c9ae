/* Writes to a NULL pointer, after a check that has come by then. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    volatile int *volatile nowhere = NULL;
    paddock_check(t, true, "before", "all is well so far");
    *nowhere = 1;
}

PADDOCK_TEST("test.segv", "1.0.0", "crashes", NULL, run);
