/* Takes 10 GB and uses them. */
#include <paddock/plugin.h>

#include <stdlib.h>
#include <string.h>

static void run(paddock_test *t)
{
    size_t step = (size_t)16 << 20;
    for (int i = 0; i < 640; i++) {
        void *volatile memory = malloc(step);
        if (memory)
            memset(memory, 1, step);
    }
    paddock_check(t, true, "survived", "10 GB were there");
}

PADDOCK_TEST("test.memory", "1.0.0", "eats memory", NULL, run);
