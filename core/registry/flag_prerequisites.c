#include "registry/flag_prerequisites.h"

#include "base/json.h"
#include "base/map.h"
#include "registry/errors.h"
#include "registry/flag.h"

#include <string.h>

#define TOO_MUCH (FLAG_DEPTH_MAX + 1) /* levels; also: it leads back, or to too many */

/* What is behind a flag: each is looked at once, however many ways lead to it. */
struct walk {
    const struct view *v;
    const char *ns, *goal; /* the flag that is written */
    struct map *levels;    /* by key, how many there are from it on */
};

static size_t levels_of(struct walk *w, const char *key, size_t depth);

static size_t deepest(struct walk *w, const struct document *d, size_t depth)
{
    const char *text = flag_of(d)->prerequisites;
    json_t *list = json_read(text, strlen(text), NULL);
    const json_t *item;
    size_t most = 0, i;
    json_array_foreach(list, i, item) {
        size_t n = levels_of(w, json_string_value(json_object_get(item, "flag")), depth);
        most = n > most ? n : most;
        if (most >= TOO_MUCH)
            break;
    }
    json_decref(list);
    return most;
}

static size_t levels_of(struct walk *w, const char *key, size_t depth)
{
    const size_t len = strlen(key);
    const size_t known = (size_t)(uintptr_t)map_get(w->levels, key, len);
    if (known)
        return known;
    if (depth >= FLAG_DEPTH_MAX || strcmp(key, w->goal) == 0)
        return TOO_MUCH;
    const struct document *d = view_document(w->v, &FLAG_TYPE, w->ns, key);
    const size_t levels = 1 + (d ? deepest(w, d, depth + 1) : 0);
    if (levels >= TOO_MUCH || map_count(w->levels) >= FLAG_BEHIND_MAX)
        return TOO_MUCH;
    map_set(w->levels, key, len, (void *)(uintptr_t)levels);
    return levels;
}

static void check_one(struct document_write *w, struct walk *walk, const json_t *item, size_t at)
{
    const char *key = json_string_value(json_object_get(item, "flag"));
    const char *pointer = arena_printf(w->c->arena, "/prerequisites/%zu", at);
    const struct document *d = view_document(w->h->view, &FLAG_TYPE, w->c->ns, key);
    if (levels_of(walk, key, 0) >= TOO_MUCH) {
        fault_add(&w->faults, &ERR_INVALID, pointer,
                  "leads back to this flag, more than %d flags deep, or to more than %d in all",
                  FLAG_DEPTH_MAX, FLAG_BEHIND_MAX);
        return;
    }
    if (!d) {
        fault_add(&w->faults, &BAD_REFERENCE, pointer, "no flag has this key");
        return;
    }
    const char *text = flag_of(d)->variants;
    json_t *variants = json_read(text, strlen(text), NULL);
    const json_t *name;
    size_t i;
    json_array_foreach(json_object_get(item, "variants"), i, name)
        if (!json_object_get(variants, json_string_value(name)))
            fault_add(&w->faults, &BAD_REFERENCE, pointer, "the flag has no variant '%.128s'",
                      json_string_value(name));
    json_decref(variants);
}

void flag_prerequisites_check(struct document_write *w)
{
    const struct flag *f = w->want;
    struct walk walk = {w->h->view, w->c->ns, f->head.id, map_new()};
    json_t *list = json_read(f->prerequisites, strlen(f->prerequisites), NULL);
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
        check_one(w, &walk, item, i);
    json_decref(list);
    map_free(walk.levels);
}
