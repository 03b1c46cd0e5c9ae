/* problem: the RFC 9457 document of a failure. Room: http. Threads: [loop]. */
#ifndef PADDOCK_HTTP_PROBLEM_H
#define PADDOCK_HTTP_PROBLEM_H

#include "base/bytes.h"
#include "base/err.h"

/* Append the document. `path` may be NULL (the request line was unreadable). */
void problem_put(struct bytes *b, const struct err *e, const char *path, size_t path_len,
                 const char *request_id);

#endif
