/* resolved: model references that a loop has looked up lately. Room: api. Threads: [loop], its own.
 *
 * A batch names its models again and again; finding one among many in the view costs a dozen cache
 * misses. What is remembered holds for one view only: any change of the journal empties it. */
#ifndef PADDOCK_API_RESOLVED_H
#define PADDOCK_API_RESOLVED_H

#include "api/access.h"
#include "registry/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resolved;

struct resolved *resolved_new(void) __attribute__((returns_nonnull));
void resolved_free(struct resolved *r);
/* The uid of a model id or reference of the namespace asked for; 0: there is none that the one who
 * asks may do it to. */
uint64_t resolved_uid(struct resolved *r, const struct view *v, const struct access *a,
                      const char *reference, size_t len);

#endif
