/* Fills the disk, in many files, wherever it can, and fails when it cannot. */
#include <paddock/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool fill(const char *folder)
{
    static char chunk[1 << 20];
    for (int i = 0; i < 2000; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/fill-%d", folder, i);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0 || write(fd, chunk, sizeof chunk) != (ssize_t)sizeof chunk)
            return false;
        close(fd);
    }
    return true;
}

static void run(paddock_test *t)
{
    paddock_check(t, !fill("/tmp") && !fill("/var/tmp"), "outside", "2 GB outside its directory");
    paddock_check(t, fill(t->scratch), "inside", "2 GB in its directory");
}

PADDOCK_TEST("test.disk", "1.0.0", "fills the disk", NULL, run);
