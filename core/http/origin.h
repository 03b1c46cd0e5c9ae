/* origin: what keeps a browser from being used against the server. Room: http. Threads: [loop].
 *
 * 1. Host: on loopback (http_config.check_host) a request must name this machine, or one of
 *    host_names, or a name without a dot: whoever owns a domain can make it point at 127.0.0.1 and
 *    have a visitor's browser talk to it, but it will say the domain's name. Addresses are fine.
 * 2. Origin: pages of other origins may not change anything, unless cors_origins has them.
 *    Browsers send some changes without asking first.
 * 3. CORS: pages of cors_origins may read answers; a preflight is answered before authorization. No
 *    credentials are allowed, for there are none: no cookies, tokens travel in a header.
 * 4. Replies that a browser may show (text/...) say that they are what they say, load nothing and
 *    are shown in no frame. JSON goes without: each header costs some percent of a small reply. */
#ifndef PADDOCK_HTTP_ORIGIN_H
#define PADDOCK_HTTP_ORIGIN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct request;

/* Note what the reply says to other origins; first of all, for a refusal says it, too. */
void origin_note(struct request *rq);
/* Host and Origin are acceptable. */
bool origin_admit(struct request *rq, struct err *e) MUST_CHECK;
/* Add what a preflight wants to know to the reply to an OPTIONS, if it is one. */
void origin_preflight(struct request *rq);
/* Write the reply's headers of this kind; at most origin_room() bytes. Returns the end. */
char *origin_put(const struct request *rq, const char *type, char *p);
size_t origin_room(const struct request *rq);

/* Can a browser send this as its Origin, or is it *? A path, or * as a part, would never match.
 * [any]
 */
bool origin_valid(const char *text);
/* The same of a name in Host, which has neither scheme nor port here. [any] */
bool origin_host_valid(const char *text);

#endif
