/* Kills everything that it may. */
#include <paddock/plugin.h>

#include <signal.h>

static void run(paddock_test *t)
{
    kill(-1, SIGKILL);
    paddock_check(t, true, "alone", "nobody else was hit");
}

PADDOCK_TEST("test.killall", "1.0.0", "kills all it can", NULL, run);
