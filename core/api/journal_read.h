/* journal_read: pages of the journal, for readers on a loop and on a reader thread. Room: api. */
#ifndef PADDOCK_API_JOURNAL_READ_H
#define PADDOCK_API_JOURNAL_READ_H

#include "api/api.h"
#include "store/store.h"

#include <stdbool.h>

/* Read one page and wait for it: on reader threads only. The results are in `a`. */
bool journal_read_wait(struct api *api, const struct journal_query *q, struct arena *a,
                       struct journal_read *out, struct err *e) MUST_CHECK;

#endif
