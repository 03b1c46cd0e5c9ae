/* Never comes back. */
#include <paddock/plugin.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
    for (;;)
        pause();
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
