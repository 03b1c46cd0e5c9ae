/* Prints without an end. */
#include <paddock/plugin.h>

#include <stdio.h>

static void run(paddock_test *t)
{
    while (!paddock_stop(t->host))
        puts("a line of log, again and again, without any need");
    puts("the end of the flood");
    paddock_check(t, true, "printed", "a lot");
}

PADDOCK_TEST("test.flood", "1.0.0", "floods the log", NULL, run);
