/* Calls abort(). */
#include <paddock/plugin.h>

#include <stdlib.h>

static void run(paddock_test *t)
{
    (void)t;
    abort();
}

PADDOCK_TEST("test.abort", "1.0.0", "aborts", NULL, run);
