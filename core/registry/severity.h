/* severity: how bad it is. Room: registry. Threads: pure, [any]. */
#ifndef PADDOCK_REGISTRY_SEVERITY_H
#define PADDOCK_REGISTRY_SEVERITY_H

#include <stdbool.h>

enum severity { SEVERITY_NONE, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_COUNT };

/* "none", "low", "medium", "high" in this order, then NULL: also the choices of a field. */
extern const char *const SEVERITY_NAMES[];

static inline const char *severity_name(enum severity s)
{
    return SEVERITY_NAMES[s];
}
/* False, and `*out` left as it is, if `text` (may be NULL) is none of the names. */
bool severity_parse(const char *text, enum severity *out);

#endif
