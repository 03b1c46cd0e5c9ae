/* Never comes back from being loaded. */
#include <paddock/plugin.h>
#include <unistd.h>

__attribute__((constructor)) static void wait_for_ever(void)
{
    for (;;)
        pause();
}

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
