/* Prints a verdict of its own, on every descriptor it knows, and exits with 0. */
#include <paddock/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    (void)t;
    puts("{\"check\":{\"name\":\"all\",\"ok\":true}}\n{\"end\":{\"checks\":1}}\nPASSED");
    exit(0);
}

PADDOCK_TEST("test.exit", "1.0.0", "lies and leaves", NULL, run);
