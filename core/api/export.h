/* export: the journal as NDJSON, of any length, at the pace of the client. Room: api. Threads:
 * [loop]. */
#ifndef PADDOCK_API_EXPORT_H
#define PADDOCK_API_EXPORT_H

#include "api/call.h"
#include "store/store.h"

/* Stream all that matches up to the present, oldest first unless `sort` says otherwise. Texts are
 * copied. */
void export_start(struct call *c, const struct journal_query *filters);

#endif
