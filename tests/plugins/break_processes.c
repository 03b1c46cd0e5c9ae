/* Leaves a process behind. */
#include <paddock/plugin.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    paddock_check(t, child > 0, "forked", "child %d", (int)child);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
