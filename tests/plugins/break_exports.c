/* Exports a function of its own. */
#include <paddock/plugin.h>

void helper(paddock_test *t);

void helper(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

static void run(paddock_test *t)
{
    helper(t);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
