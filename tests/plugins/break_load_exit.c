/* Ends the process that loads it. */
#include <paddock/plugin.h>
#include <stdlib.h>

__attribute__((constructor)) static void leave(void)
{
    exit(0);
}

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
