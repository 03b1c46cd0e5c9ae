/* Ignores every signal that can be ignored, and never ends. */
#include <paddock/plugin.h>

#include <signal.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    (void)t;
    for (int i = 1; i < 32; i++)
        signal(i, SIG_IGN);
    for (;;)
        pause();
}

PADDOCK_TEST("test.sigterm", "1.0.0", "ignores signals", NULL, run);
