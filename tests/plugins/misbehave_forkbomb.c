/* Forks without an end, and so do its children. */
#include <paddock/plugin.h>

#include <unistd.h>

static void run(paddock_test *t)
{
    (void)t;
    for (;;)
        if (fork() < 0)
            usleep(1000);
}

PADDOCK_TEST("test.forkbomb", "1.0.0", "a fork bomb", NULL, run);
