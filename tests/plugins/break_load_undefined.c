/* Wants a function that nobody has. */
#include <paddock/plugin.h>

void nobody_has_this(void);

static void run(paddock_test *t)
{
    nobody_has_this();
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
