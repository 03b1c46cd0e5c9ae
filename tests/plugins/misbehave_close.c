/* Closes every descriptor. */
#include <paddock/plugin.h>

#include <unistd.h>

static void run(paddock_test *t)
{
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    paddock_check(t, true, "after", "nobody hears this");
}

PADDOCK_TEST("test.close", "1.0.0", "closes descriptors", NULL, run);
