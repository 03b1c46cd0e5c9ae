/* Takes 10 GB in one piece and does not look whether it got them. */
#include <paddock/plugin.h>

#include <stdlib.h>
#include <string.h>

static void run(paddock_test *t)
{
    size_t size = (size_t)10 << 30;
    char *volatile memory = malloc(size);
    memset(memory, 1, size);
    paddock_check(t, memory[size / 2] == 1, "survived", "10 GB were there");
}

PADDOCK_TEST("test.memory-at-once", "1.0.0", "wants memory", NULL, run);
