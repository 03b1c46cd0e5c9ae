#include "base/map.h"
#include "base/mem.h"
#include "registry/entity.h"

#include <stdlib.h>
#include <string.h>

struct intern {
    struct map *texts; /* text -> its one copy */
};

struct intern *intern_new(void)
{
    struct intern *t = mem_alloc(sizeof *t);
    t->texts = map_new();
    return t;
}

void intern_free(struct intern *t)
{
    if (!t)
        return;
    size_t at = 0, len;
    const void *key;
    void *text;
    while (map_next(t->texts, &at, &key, &len, &text))
        free(text);
    map_free(t->texts);
    free(t);
}

const char *intern(struct intern *t, const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text);
    char *known = map_get(t->texts, text, len);
    if (!known) {
        known = mem_copy(text, len);
        map_set(t->texts, text, len, known);
    }
    return known;
}
