/* events: streams of server-sent events, as far as the loop has to look after them. Room: api.
 * Threads: [loop]. */
#ifndef PADDOCK_API_EVENTS_H
#define PADDOCK_API_EVENTS_H

#include "api/loop_state.h"

/* End the streams whose token was revoked, changed or has expired since. */
void events_tick(struct loop_state *s, int64_t now_ms);

#endif
