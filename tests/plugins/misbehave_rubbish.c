/* Writes rubbish, and what looks like a verdict, to descriptor 3. */
#include <paddock/plugin.h>

#include <stdio.h>
#include <unistd.h>

static void run(paddock_test *t)
{
    dprintf(3, "%c%c%c rubbish\n{\"check\":{\"name\":\"a\",\"ok\":true}}\n", 0, 255, 7);
    dprintf(3, "{\"nonce\":\"00000000000000000000000000000000\",\"end\":{\"checks\":1}}\n");
    dprintf(3, "{\"nonce\":\"00000000000000000000000000000000\",\"stage\":{\"end\":\"exit\"}}\n");
    paddock_check(t, true, "after", "a real check");
}

PADDOCK_TEST("test.rubbish", "1.0.0", "writes to descriptor 3", NULL, run);
