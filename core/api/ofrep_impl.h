/* ofrep_impl: what OFREP's operations share. Room: api, private. Threads: [loop]. */
#ifndef PADDOCK_API_OFREP_IMPL_H
#define PADDOCK_API_OFREP_IMPL_H

#include "api/call.h"
#include "api/ofrep_ticket.h"
#include "base/bytes.h"

#define OFREP_TIME_GRAIN 60000 /* ms: a tag of flags that read the clock lasts as long */

/* Append the member eventStreams: where to listen for what comes after `seq`. */
void ofrep_put_streams(struct bytes *b, const struct call *c, uint64_t seq);
/* Read what an event of such a stream gave as its etag. */
bool ofrep_told_seq(const char *etag, uint64_t *seq);

#endif
