#include "path.h"

#include <stdlib.h>

const paddock_field DIRECTORY_FIELD[] = {
    {"directory", PADDOCK_FIELD_TEXT, 0, 1, 4096, NULL, NULL, NULL, "A directory."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

bool path_below(const paddock_host *h, const paddock_value *directories, const char *path)
{
    char *real = realpath(path, NULL);
    bool below = false;
    for (size_t i = 0; real && !below && i < paddock_count(h, directories); i++) {
        const char *text = paddock_as_text(h, paddock_at(h, directories, i));
        char *dir = text ? realpath(text, NULL) : NULL;
        size_t len = dir ? strlen(dir) : 0;
        below = dir && strncmp(real, dir, len) == 0 && (real[len] == '/' || len == 1);
        free(dir);
    }
    free(real);
    return below;
}
