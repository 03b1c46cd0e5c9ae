/* catalog_set: one set of plugins while it is put together. Room: extend. Threads: one owner until
 * it is published; then nobody writes it. */
#ifndef PADDOCK_EXTEND_CATALOG_SET_H
#define PADDOCK_EXTEND_CATALOG_SET_H

#include "base/arena.h"
#include "extend/catalog.h"

#include <stdatomic.h>

/* Shared by the sets that follow one another. */
struct plugin_uses {
    atomic_uint_fast64_t calls, failures;
    atomic_uint holders;
};

struct catalog_entry {
    struct plugin plugin;    /* first */
    const char *description; /* what paddock-worker said of it; NULL: nothing */
    size_t found;            /* the order of finding: of two with one id the first has it */
};

struct catalog_set {
    struct plugin_set set; /* first */
    unsigned holders;      /* under the catalog's lock */
    struct arena *arena;
    struct catalog_entry *entries; /* CATALOG_FILES_MAX */
    const struct plugin **list;
};

struct catalog_set *catalog_set_new(void) __attribute__((returns_nonnull));
void catalog_set_free(struct catalog_set *s);

/* A new entry, out for no reason yet; `file` is copied. NULL when the set is full. */
struct catalog_entry *catalog_set_add(struct catalog_set *s, const char *file, bool bundled);
/* The description that an entry of these bytes has in `s` (which may be NULL); NULL: none. */
const char *catalog_set_description(const struct catalog_set *s, const char *sha256);
/* Read `text` into the entry. False and the reason if it is no description, or of a plugin that
 * this entry may not be. */
bool catalog_entry_describe(struct catalog_set *s, struct catalog_entry *entry, const char *text,
                            struct err *e) MUST_CHECK;
/* All entries are there: put out who comes second, order them, go on counting where `old` (or NULL)
 * did. */
void catalog_set_finish(struct catalog_set *s, const struct catalog_set *old, int64_t now_ms);

#endif
