/* context: what a caller says of who asks, wherever one may. Room: extend. Threads: any. */
#ifndef PADDOCK_EXTEND_CONTEXT_H
#define PADDOCK_EXTEND_CONTEXT_H

#include "base/fault.h"

#include <jansson.h>

/* What is wrong with a context, or NULL: it is an object of at most 256 members. */
const char *context_wrong(const json_t *context);
/* Is its unit a text or a whole number? None at all, or null, is as good. */
bool context_unit_good(const json_t *context);
/* Both, as faults at `pointer` and below it. False: there were some. */
bool context_check(const json_t *context, const char *pointer, struct faults *f);

#endif
