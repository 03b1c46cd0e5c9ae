/* Crashes while it is loaded. */
#include <paddock/plugin.h>

__attribute__((constructor)) static void crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "never");
}

PADDOCK_TEST("test.constructor", "1.0.0", "crashes when loaded", NULL, run);
