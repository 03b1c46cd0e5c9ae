/* Makes no check. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_log(t->host, "all is well");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
