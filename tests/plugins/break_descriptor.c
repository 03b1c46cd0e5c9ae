/* Writes to the descriptor of the host. */
#include <paddock/plugin.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    paddock_check(t, write(3, "hello\n", 6) == 6, "wrote", "it wrote");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
