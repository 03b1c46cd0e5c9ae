/* Takes the baseline for the subject's twin. */
#include <paddock/plugin.h>
#include <stdlib.h>

static void run(paddock_test *t)
{
    if (t->baseline && strcmp(t->baseline->version, t->subject->version) != 0)
        abort();
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
