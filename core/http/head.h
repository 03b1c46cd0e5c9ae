/* head: the request line and headers of one request, as they come in. Room: http.
 * Threads: one owner; no I/O, so tests and the fuzzer drive it with plain bytes.
 *
 * Every byte is looked at as it arrives: a bare CR or LF, a folded line, NUL and other controls are
 * refused at once. When the empty line is in, the request line is checked here and the header lines
 * by libhttp-parser. Debian builds that library without its strict mode (it takes a space before
 * the colon, folded lines, bare LF, bytes above 127 in the target), so its word alone is not
 * enough. */
#ifndef PADDOCK_HTTP_HEAD_H
#define PADDOCK_HTTP_HEAD_H

#include "base/bytes.h"
#include "base/err.h"
#include "http/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_FIELDS_MAX 100

struct head_field {
    const char *name, *value; /* NUL-terminated, outer blanks cut */
    uint32_t name_len, value_len;
};

enum head_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

/* Headers the layer itself reads. */
enum head_known {
    KNOWN_HOST,
    KNOWN_EXPECT,
    KNOWN_ORIGIN,
    KNOWN_TRACEPARENT,
    KNOWN_CONTENT_TYPE,
    KNOWN_REQUEST_ID,
    KNOWN_CONTENT_LENGTH,
    KNOWN_IDEMPOTENCY_KEY,
    KNOWN_TRANSFER_ENCODING,
    KNOWN_COUNT
};

struct head {
    /* What is taken at most: of all, and of the request line. */
    size_t max, line_max;
    struct bytes raw; /* from the method to the empty line */
    unsigned scan;    /* where the scan stands, see head.c */
    unsigned leading; /* empty lines before the request line */
    size_t line_len;  /* of the request line, once it is in */

    /* Valid after HEAD_DONE (the first three also after a failure, once `target` is set). */
    enum http_method method; /* HEAD stays HEAD here */
    const char *target;      /* as sent, NUL-terminated; NULL until the request line is good */
    size_t target_len;
    const char *path, *query; /* slices of the target; query NULL: no '?' */
    size_t path_len, query_len;
    unsigned minor; /* HTTP/1.minor */
    bool keep_alive;
    bool asterisk; /* OPTIONS * */
    enum head_framing framing;
    uint64_t content_length;        /* FRAMING_LENGTH */
    const char *known[KNOWN_COUNT]; /* first value, or NULL */
    struct head_field fields[HEAD_FIELDS_MAX];
    size_t n_fields;
};

enum head_result { HEAD_MORE, HEAD_DONE, HEAD_BAD };

void head_init(struct head *h, size_t max);
void head_release(struct head *h);
/* Begin anew, keeping the memory. */
void head_reset(struct head *h);
/* Take bytes; `*used` of them belong to the head. HEAD_BAD fills `e`: the connection must close
 * after the answer, since nobody knows where the next request begins. */
enum head_result head_feed(struct head *h, const char *data, size_t len, size_t *used,
                           struct err *e) MUST_CHECK;
/* A header's first value; `*from` (start with 0) continues the search past it. NULL: no more. */
const char *head_find(const struct head *h, const char *name, size_t *from);

#endif
