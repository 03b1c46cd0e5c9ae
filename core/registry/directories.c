#include "registry/directories.h"

#include <stddef.h>
#include <string.h>

static bool climbs(const char *path)
{
    for (const char *p = strstr(path, "/.."); p; p = strstr(p + 1, "/.."))
        if (p[3] == '/' || p[3] == '\0')
            return true;
    return false;
}

bool path_is_below(const char *path, const char *const *dirs)
{
    if (*path != '/' || climbs(path))
        return false;
    for (; dirs && *dirs; dirs++) {
        size_t len = strlen(*dirs);
        while (len > 1 && (*dirs)[len - 1] == '/')
            len--;
        if (strncmp(path, *dirs, len) == 0 && (path[len] == '/' || len == 1))
            return true;
    }
    return false;
}
