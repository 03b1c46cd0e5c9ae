#include "support/worker.h"

#include <stdio.h>
#include <stdlib.h>

static const char *build_dir(void)
{
    const char *dir = getenv("PADDOCK_BUILD");
    return dir ? dir : ".";
}

const char *test_worker_program(void)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/bin/paddock-worker", build_dir());
    return path;
}

const char *test_plugin(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/tests/plugins/%s.so", build_dir(), name);
    return out;
}
