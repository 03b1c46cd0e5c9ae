/* Crashes. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    volatile int *volatile nowhere = NULL;
    paddock_check(t, true, "ran", "it ran");
    *nowhere = 1;
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
