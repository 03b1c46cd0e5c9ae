/* body: what follows the head: framing taken off, counted, held or passed on. Room: http.
 * Threads: [loop]. */
#ifndef PADDOCK_HTTP_BODY_H
#define PADDOCK_HTTP_BODY_H

#include "http/connection.h"

enum body_result { BODY_MORE, BODY_DONE, BODY_BAD };

/* The head of `c->request` is in: note how its body, if any, is delimited. */
void body_begin(struct connection *c);
/* The request was admitted: its body may come. False if the budget has no room. */
bool body_admit(struct connection *c, struct err *e) MUST_CHECK;
/* Is nothing of the body left to come? (Of a chunked one nobody knows: false.) */
bool body_complete(const struct connection *c);
/* Take bytes as they came from the client; `*used` of them belong to this body. */
enum body_result body_feed(struct connection *c, const char *data, size_t len, size_t *used,
                           struct err *e) MUST_CHECK;
/* Where the next bytes may be read to directly (`*room` of them at most, all of this body), so that
 * a large body is not copied. NULL: they must come through the input buffer. */
char *body_direct(struct connection *c, size_t *room);
/* `n` bytes were read to `at`, which body_direct() gave. */
enum body_result body_received(struct connection *c, const char *at, size_t n, struct err *e)
    MUST_CHECK;
/* Can the rest be read and dropped, so that the connection stays of use? */
bool body_droppable(const struct connection *c);
#define BODY_DROP_MAX 65536 /* a refused body up to this is read to the end */
/* Give a request's share of the budget back. */
void body_discharge(struct request *rq);

#endif
