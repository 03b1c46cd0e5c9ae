/* status: the reply statuses in use, one table for status lines and counters. Room: http.
 * Threads: constants. */
#ifndef PADDOCK_HTTP_STATUS_H
#define PADDOCK_HTTP_STATUS_H

#include <stddef.h>

/* Position in HTTP_STATUSES; that of "all others" for a status that is not there. */
size_t status_index(int status);
/* "HTTP/1.1 200 OK\r\n" and its length; a status that is not in the table is sent as 500. */
const char *status_line(int status, size_t *len);

#endif
