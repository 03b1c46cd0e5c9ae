/* reply: the head of a reply. Room: http. Threads: [loop]. */
#ifndef PADDOCK_HTTP_REPLY_H
#define PADDOCK_HTTP_REPLY_H

#include "base/bytes.h"
#include "http/request_impl.h"

#define REPLY_CHUNKED   (-1) /* Transfer-Encoding: chunked */
#define REPLY_UNTIL_EOF (-2) /* the body ends with the connection */

/* Append status line and headers. `type` NULL: no body. */
void reply_put_head(struct request *rq, struct bytes *out, int status, const char *type,
                    int64_t length, bool close);

#endif
