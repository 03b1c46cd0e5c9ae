/* paddock-worker: the only program that loads plugins. */
#include "extend/nursery.h"
#include "worker/describe.h"
#include "worker/first_stage.h"
#include "worker/inspect.h"
#include "worker/nursery.h"
#include "worker/strategy_serve.h"
#include "worker/try.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLD_MAX (1u << 20) /* bytes of an answer */

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

/* What is told goes to descriptor `to`, which is moved out of the way of what a plugin may do. */
static int move_away(int to)
{
    int out = fcntl(to, F_DUPFD_CLOEXEC, 32), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return out < 0 || null < 0 || dup2(null, to) < 0 ? -1 : out;
}

static int tell(int out, bool good, struct bytes *text, const struct err *e)
{
    if (out < 0 || !good) {
        fprintf(stderr, "%s\n", out < 0 ? "nowhere to write to" : e->detail);
        return 1;
    }
    bool ok = write_all(out, text->data, text->len);
    bytes_release(text);
    return ok ? 0 : 1;
}

static int describe(const char *file, const char *user, int to)
{
    struct bytes text = BYTES_INIT(TOLD_MAX);
    struct err e;
    int out = move_away(to);
    bool good = out >= 0 && describe_plugin(file, user, &text, &e);
    if (to == STDOUT_FILENO)
        bytes_char(&text, '\n');
    return tell(out, good, &text, &e);
}

static int inspect(const char *file)
{
    struct bytes text = BYTES_INIT(TOLD_MAX);
    struct err e;
    int out = move_away(3);
    return tell(out, out >= 0 && inspect_plugin(file, &text, &e), &text, &e);
}

/* The configuration comes on standard input. */
static int try_scenario(const char *scenario, const char *file, const char *seed)
{
    struct bytes text = BYTES_INIT(TOLD_MAX), config = BYTES_INIT(TOLD_MAX);
    struct err e;
    char chunk[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
        bytes_add(&config, chunk, (size_t)n);
    int out = move_away(3);
    bool good = out >= 0 && try_plugin(file, scenario, strtoull(seed, NULL, 10),
                                       config.data ? config.data : "{}", &text, &e);
    return tell(out, good, &text, &e);
}

static int run_one(void)
{
    int status = first_stage(-1);
    first_stage_forget();
    return status;
}

int main(int argc, char **argv)
{
    unsetenv("LD_BIND_NOW"); /* it was for ourselves */
    if (argc == 2 && strcmp(argv[1], "--run") == 0)
        return run_one();
    if (argc == 2 && strcmp(argv[1], NURSERY_PLAIN) == 0)
        _exit(nursery_serve(false));
    if (argc == 2 && strcmp(argv[1], NURSERY_HTTP) == 0)
        _exit(nursery_serve(true));
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "--describe-to-3") == 0)
        _exit(describe(argv[2], argc == 4 ? argv[3] : NULL, 3));
    if (argc == 3 && strcmp(argv[1], "--describe") == 0)
        _exit(describe(argv[2], NULL, STDOUT_FILENO));
    if (argc == 3 && strcmp(argv[1], "--inspect") == 0)
        _exit(inspect(argv[2]));
    if (argc == 5 && strcmp(argv[1], "--try") == 0)
        _exit(try_scenario(argv[2], argv[3], argv[4]));
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "--strategy") == 0)
        _exit(strategy_serve(argv[2], argc == 4 ? argv[3] : NULL));
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("paddock-worker " PADDOCK_VERSION);
        return 0;
    }
    fprintf(stderr, "usage: paddock-worker --describe FILE | --run (job on standard input) | "
                    "--version\nIt is started by paddock, which see.\n");
    return 2;
}
