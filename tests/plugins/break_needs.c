/* Uses a library that it does not link, and that the host happens to have. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    double x = lgamma((double)(t->seed % 7) + 1);
    paddock_check(t, x >= 0, "gamma", "%g", x);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
