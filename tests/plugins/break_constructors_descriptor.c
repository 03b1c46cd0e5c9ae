/* Keeps a file open from when it is loaded. */
#include <paddock/plugin.h>
#include <fcntl.h>

static int file;

__attribute__((constructor)) static void begin(void)
{
    file = open("/dev/null", O_RDONLY);
}

static void run(paddock_test *t)
{
    paddock_check(t, file >= 0, "file", "the file is %d", file);
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", NULL, run);
