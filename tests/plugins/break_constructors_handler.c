/* Changes what a signal does when it is loaded. */
#include <paddock/plugin.h>
#include <signal.h>

__attribute__((constructor)) static void begin(void)
{
    signal(SIGUSR1, SIG_IGN);
}

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
