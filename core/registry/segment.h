/* segment: a named set of units that policies ask for. Room: registry. Threads: immutable, [any].
 */
#ifndef PADDOCK_REGISTRY_SEGMENT_H
#define PADDOCK_REGISTRY_SEGMENT_H

#include "registry/documents.h"

#define SEGMENT_UNITS_MAX 20000

struct segment {
    struct document_head head; /* id is the segment's name */
    const char *description;
    const char *units; /* JSON array of texts */
};

extern const struct field SEGMENT_FIELDS[];

/* Is the unit in it? A binary search over hashes of 64 bits. */
bool segment_has(const struct document *d, const char *unit, size_t len);

#endif
