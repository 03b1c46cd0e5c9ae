/* Recurses without an end. */
#include <paddock/plugin.h>

static int deeper(volatile char *above, uint64_t left)
{
    if (left == 0)
        return 1;
    volatile char here[4096];
    here[0] = (char)(above[0] + 1);
    return deeper(here, left - 1) + here[0];
}

static void run(paddock_test *t)
{
    volatile char start = 0;
    paddock_check(t, deeper(&start, UINT64_MAX) != 0, "deep", "never reached");
}

PADDOCK_TEST("test.stack", "1.0.0", "overflows its stack", NULL, run);
