/* access_log: one JSON line per request. Room: http. Threads: [loop], into its own log buffer. */
#ifndef PADDOCK_HTTP_ACCESS_LOG_H
#define PADDOCK_HTTP_ACCESS_LOG_H

#include "http/request_impl.h"

/* Append the line; the buffer is written when it is large or the turn ends. */
void access_log_line(struct request *rq, int status, size_t bytes, int64_t took_ns);

#endif
