/* paddock-worker: the only program that loads plugins. */
#include "worker/describe.h"
#include "worker/first_stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* The descriptor is moved out of the way of what a plugin's constructors may do. */
static int describe(const char *file, const char *user, int to)
{
    struct bytes text = BYTES_INIT(1u << 20);
    struct err e;
    int out = fcntl(to, F_DUPFD_CLOEXEC, 32), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (out < 0 || null < 0 || dup2(null, to) < 0 || !describe_plugin(file, user, &text, &e)) {
        fprintf(stderr, "%s\n", out < 0 ? "nowhere to write to" : e.detail);
        return 1;
    }
    if (to == STDOUT_FILENO)
        bytes_char(&text, '\n');
    bool ok = write_all(out, text.data, text.len);
    bytes_release(&text);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--run") == 0)
        return first_stage();
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "--describe-to-3") == 0)
        _exit(describe(argv[2], argc == 4 ? argv[3] : NULL, 3));
    if (argc == 3 && strcmp(argv[1], "--describe") == 0)
        _exit(describe(argv[2], NULL, STDOUT_FILENO));
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("paddock-worker " PADDOCK_VERSION);
        return 0;
    }
    fprintf(stderr, "usage: paddock-worker --describe FILE | --run (job on standard input) | "
                    "--version\nIt is started by paddock, which see.\n");
    return 2;
}
