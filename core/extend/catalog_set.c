#include "extend/catalog_set.h"

#include "base/json.h"
#include "base/mem.h"
#include "extend/plugin_fields.h"

#include <paddock/plugin.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)PLUGIN_TEST == PADDOCK_KIND_TEST &&
                   (int)PLUGIN_STRATEGY == PADDOCK_KIND_STRATEGY &&
                   (int)PLUGIN_RUNTIME == PADDOCK_KIND_RUNTIME,
               "kinds are numbered as in the plugin header");

#define ARENA_MAX (64u << 20)
#define KIND_MAX  PLUGIN_RUNTIME

static const char *const KIND_NAMES[] = {
    [PLUGIN_TEST] = "test", [PLUGIN_STRATEGY] = "strategy", [PLUGIN_RUNTIME] = "runtime"};

static const struct {
    const char *name;
    unsigned flag;
} FLAGS[] = {
    {"alone", PADDOCK_ALONE},
    {"needs_baseline", PADDOCK_NEEDS_BASELINE},
    {"needs_dataset", PADDOCK_NEEDS_DATASET},
};

const char *plugin_kind_name(enum plugin_kind kind)
{
    return kind > PLUGIN_UNKNOWN && kind <= KIND_MAX ? KIND_NAMES[kind] : NULL;
}

struct catalog_set *catalog_set_new(void)
{
    struct catalog_set *s = mem_zero(1, sizeof *s);
    s->arena = arena_new(ARENA_MAX);
    s->entries = mem_zero(CATALOG_FILES_MAX, sizeof *s->entries);
    s->holders = 1;
    return s;
}

static void release_uses(struct plugin_uses *uses)
{
    if (uses && atomic_fetch_sub(&uses->holders, 1) == 1)
        free(uses);
}

void catalog_set_free(struct catalog_set *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->set.n; i++)
        release_uses(s->entries[i].plugin.uses);
    arena_free(s->arena);
    free(s->entries);
    free(s->list);
    free(s);
}

struct catalog_entry *catalog_set_add(struct catalog_set *s, const char *file, bool bundled)
{
    if (s->set.n == CATALOG_FILES_MAX || arena_left(s->arena) < CATALOG_DESCRIPTION)
        return NULL;
    struct catalog_entry *entry = &s->entries[s->set.n];
    entry->found = s->set.n++;
    entry->plugin.file = arena_text(s->arena, file);
    entry->plugin.bundled = bundled;
    return entry;
}

const char *catalog_set_description(const struct catalog_set *s, const char *sha256)
{
    for (size_t i = 0; s && i < s->set.n; i++) {
        const struct catalog_entry *entry = &s->entries[i];
        if (entry->description && strcmp(entry->plugin.sha256, sha256) == 0)
            return entry->description;
    }
    return NULL;
}

/* ---- a description ---- */

static enum plugin_kind kind_of(const char *name)
{
    for (int kind = PLUGIN_TEST; name && kind <= KIND_MAX; kind++)
        if (strcmp(KIND_NAMES[kind], name) == 0)
            return (enum plugin_kind)kind;
    return PLUGIN_UNKNOWN;
}

static unsigned flags_of(const json_t *list)
{
    unsigned flags = 0;
    size_t at;
    const json_t *item;
    json_array_foreach(list, at, item)
        for (size_t i = 0; json_is_string(item) && i < sizeof FLAGS / sizeof *FLAGS; i++)
            if (strcmp(FLAGS[i].name, json_string_value(item)) == 0)
                flags |= FLAGS[i].flag;
    return flags;
}

static const char *text_of(const json_t *object, const char *key, struct arena *a)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? arena_text(a, text) : NULL;
}

static bool read_members(struct catalog_set *s, struct plugin *p, const json_t *d, struct err *e)
{
    const json_t *schema = json_object_get(d, "schema");
    p->kind = kind_of(json_string_value(json_object_get(d, "kind")));
    p->id = text_of(d, "id", s->arena);
    p->version = text_of(d, "version", s->arena);
    p->summary = text_of(d, "summary", s->arena);
    p->flags = flags_of(json_object_get(d, "flags"));
    if (!p->kind || !p->id || !p->version || !p->summary || !json_is_object(schema))
        return fail(e, &ERR_INVALID, "its description is incomplete");
    struct bytes text = BYTES_INIT(CATALOG_DESCRIPTION);
    json_put_value(&text, schema);
    bool fits = !text.full && arena_left(s->arena) > 2 * text.len;
    if (fits)
        p->schema = arena_copy(s->arena, text.data, text.len);
    bytes_release(&text);
    if (!fits)
        return fail(e, &ERR_INVALID, "its schema is too long");
    p->config = plugin_fields_parse(json_object_get(d, "config"), s->arena, e);
    return p->config != NULL;
}

bool catalog_entry_describe(struct catalog_set *s, struct catalog_entry *entry, const char *text,
                            struct err *e)
{
    struct plugin *p = &entry->plugin;
    size_t len = strlen(text);
    if (len > CATALOG_DESCRIPTION || arena_left(s->arena) < 4 * CATALOG_DESCRIPTION)
        return fail(e, &ERR_INVALID, "the descriptions of all plugins take too much memory");
    json_t *d = json_read(text, len, e);
    bool good = d && read_members(s, p, d, e);
    json_decref(d);
    if (!good)
        return false;
    entry->description = arena_copy(s->arena, text, len);
    if (!p->bundled && !strchr(p->id, '.'))
        return fail(e, &ERR_INVALID,
                    "the id '%s' is one for plugins that come with Paddock; others begin with a "
                    "domain, org.example.%s",
                    p->id, p->id);
    return true;
}

/* ---- the whole ---- */

static bool same_name(const struct plugin *a, const struct plugin *b)
{
    return a->kind == b->kind && a->id && b->id && strcmp(a->id, b->id) == 0;
}

/* The unknown last; then kind, id, who is loaded, and the order of finding. */
static int compare(const void *left, const void *right)
{
    const struct catalog_entry *a = *(const struct catalog_entry *const *)left;
    const struct catalog_entry *b = *(const struct catalog_entry *const *)right;
    int kind_a = a->plugin.id ? (int)a->plugin.kind : KIND_MAX + 1;
    int kind_b = b->plugin.id ? (int)b->plugin.kind : KIND_MAX + 1;
    if (kind_a != kind_b)
        return kind_a < kind_b ? -1 : 1;
    int order = a->plugin.id && b->plugin.id ? strcmp(a->plugin.id, b->plugin.id) : 0;
    if (order == 0 && !a->plugin.why != !b->plugin.why)
        order = a->plugin.why ? 1 : -1;
    if (order == 0)
        order = a->found < b->found ? -1 : 1;
    return order;
}

static const struct plugin *loaded_before(const struct catalog_set *s, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!s->entries[k].plugin.why && same_name(&s->entries[k].plugin, &s->entries[i].plugin))
            return &s->entries[k].plugin;
    return NULL;
}

static void put_out_seconds(struct catalog_set *s)
{
    for (size_t i = 0; i < s->set.n; i++) {
        struct plugin *p = &s->entries[i].plugin;
        const struct plugin *first = p->why ? NULL : loaded_before(s, i);
        if (!first)
            continue;
        p->why = arena_printf(s->arena, "the id '%s' is taken by %s", p->id, first->file);
        p->copy = NULL;
    }
}

static struct plugin_uses *uses_of(const struct catalog_set *old, const struct plugin *p)
{
    for (size_t i = 0; old && i < old->set.n; i++) {
        const struct plugin *before = &old->entries[i].plugin;
        if (!before->uses || !same_name(before, p))
            continue;
        atomic_fetch_add(&before->uses->holders, 1);
        return before->uses;
    }
    struct plugin_uses *uses = mem_zero(1, sizeof *uses);
    atomic_store(&uses->holders, 1);
    return uses;
}

void catalog_set_finish(struct catalog_set *s, const struct catalog_set *old, int64_t now_ms)
{
    put_out_seconds(s);
    s->list = mem_zero(s->set.n + 1, sizeof *s->list);
    for (size_t i = 0; i < s->set.n; i++) {
        struct plugin *p = &s->entries[i].plugin;
        s->list[i] = p;
        if (p->why)
            continue;
        p->uses = uses_of(old, p);
        s->set.n_loaded++;
    }
    qsort(s->list, s->set.n, sizeof *s->list, compare);
    s->set.plugins = s->list;
    s->set.loaded_at_ms = now_ms;
}
