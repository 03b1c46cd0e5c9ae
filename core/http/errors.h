/* errors: the kinds of failure the HTTP layer itself makes. Room: http. Threads: constants. */
#ifndef PADDOCK_HTTP_ERRORS_H
#define PADDOCK_HTTP_ERRORS_H

#include "base/err.h"

extern const struct err_kind
    HTTP_MALFORMED; /* 400 MALFORMED_REQUEST: not HTTP/1.1 as RFC 9112 has it */
extern const struct err_kind HTTP_UNAUTHENTICATED; /* 401 UNAUTHENTICATED */
extern const struct err_kind HTTP_FORBIDDEN;       /* 403 FORBIDDEN */
extern const struct err_kind HTTP_NOT_FOUND;       /* 404 NOT_FOUND: no such path */
extern const struct err_kind HTTP_METHOD;          /* 405 METHOD_NOT_ALLOWED */
extern const struct err_kind
    HTTP_TIMEOUT; /* 408 REQUEST_TIMEOUT: the request took too long to arrive */
extern const struct err_kind HTTP_BODY_TOO_LARGE; /* 413 BODY_TOO_LARGE */
extern const struct err_kind HTTP_URI_TOO_LONG;   /* 414 URI_TOO_LONG */
extern const struct err_kind HTTP_MEDIA_TYPE;     /* 415 UNSUPPORTED_MEDIA_TYPE */
extern const struct err_kind HTTP_EXPECTATION;    /* 417 EXPECTATION_FAILED */
extern const struct err_kind HTTP_MISDIRECTED;    /* 421 MISDIRECTED_REQUEST: another's name */
extern const struct err_kind HTTP_RATE_LIMITED;   /* 429 RATE_LIMITED */
extern const struct err_kind HTTP_HEADERS_LARGE;  /* 431 HEADERS_TOO_LARGE */
extern const struct err_kind
    HTTP_NOT_IMPLEMENTED;                  /* 501 NOT_IMPLEMENTED: unknown method or coding */
extern const struct err_kind HTTP_VERSION; /* 505 HTTP_VERSION_NOT_SUPPORTED */

/* All of the above, NULL-terminated (for /problems and the tests). */
extern const struct err_kind *const HTTP_ERRORS[];

#endif
