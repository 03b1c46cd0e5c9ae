#include "base/map.h"
#include "base/mem.h"
#include "registry/entity.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One shared text, and its number: two texts are the same if their numbers are. */
struct shared {
    uint32_t id;
    char text[];
};

struct intern {
    struct map *texts; /* text -> its struct shared */
    uint32_t last_id;
};

struct intern *intern_new(void)
{
    struct intern *t = mem_alloc(sizeof *t);
    t->texts = map_new();
    t->last_id = 0;
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
    struct shared *known = map_get(t->texts, text, len);
    if (!known) {
        known = mem_alloc(sizeof *known + len + 1);
        known->id = ++t->last_id;
        memcpy(known->text, text, len + 1);
        map_set(t->texts, text, len, known);
    }
    return known->text;
}

uint32_t intern_id(const char *shared)
{
    if (!shared)
        return 0;
    const struct shared *known = (const void *)(shared - offsetof(struct shared, text));
    return known->id;
}
