#include "base/beside.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool own_folder(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *last = strrchr(out, '/');
    if (last)
        *last = '\0';
    return last != NULL;
}

bool beside_find(const char *const *places, char *out, size_t size)
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    bool found = false;
    if (!own_folder(folder, sizeof folder))
        return false;
    for (size_t i = 0; places[i] && !found; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        char *real = realpath(path, NULL);
        found = real && strlen(real) < size;
        if (found)
            snprintf(out, size, "%s", real);
        free(real);
    }
    return found;
}
