/* Decides by chance, and not by the seed. */
#include <paddock/plugin.h>
#include <time.h>

static void run(paddock_test *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < 20; i++)
        paddock_check(t, (now.tv_nsec >> i & 1) == 0, "lucky", "bit %d", i);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
