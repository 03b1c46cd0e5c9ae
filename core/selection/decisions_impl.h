/* decisions_impl: what writing and reading the log of decisions agree on. Room: selection, for
 * decisions*.c alone. */
#ifndef PADDOCK_SELECTION_DECISIONS_IMPL_H
#define PADDOCK_SELECTION_DECISIONS_IMPL_H

#include "base/bytes.h"
#include "selection/decisions.h"

#include <stdint.h>

#define DECISIONS_SPAN_MS 10000 /* decisions of one record lie no further apart */

/* Write the key of the series in which the decisions of a unit with this mark are. */
void decisions_key(struct bytes *b, const char *ns, uint32_t mark);

#endif
