/* Ends the process by itself. */
#include <paddock/plugin.h>
#include <stdlib.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
    exit(0);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
