/* pack: lay out an entity and its texts in one heap block. Room: registry. Threads: one owner.
 *
 * One block an entity, because 100,000 of them must fit into memory: no allocator overhead for each
 * text, and one free(). First the space is added up, then the texts are laid down behind the
 * struct. */
#ifndef PADDOCK_REGISTRY_PACK_H
#define PADDOCK_REGISTRY_PACK_H

#include "registry/entity.h"
#include "registry/scan.h"

#include <stddef.h>

struct pack {
    size_t need; /* bytes wanted so far */
    char *at;    /* where the next text goes */
};

/* Count a string literal in (nothing for null or a missing one). */
void pack_want(struct pack *p, struct slice literal);
/* Count in `len` bytes and a NUL. */
void pack_want_raw(struct pack *p, size_t len);
/* Allocate the zeroed struct of `size` bytes with room for all that was wanted behind it. */
void *pack_open(struct pack *p, size_t size) __attribute__((returns_nonnull));
/* Lay down a literal's text; NULL for null or a missing one. */
const char *pack_text(struct pack *p, struct slice literal);
const char *pack_raw(struct pack *p, const char *text, size_t len) __attribute__((returns_nonnull));

/* A literal as one copy in the table of shared strings; NULL for null or a missing one. */
const char *slice_intern(struct slice literal, struct intern *names);
/* A quoted RFC 3339 time; 0 for null or a missing one. False if it is neither. */
bool slice_time(struct slice s, int64_t *out);

#endif
