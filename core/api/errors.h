/* errors: the kinds of failure that the API layer itself makes. Room: api. Threads: constants. */
#ifndef PADDOCK_API_ERRORS_H
#define PADDOCK_API_ERRORS_H

#include "base/err.h"

extern const struct err_kind NODE_BEHIND; /* 503: ?min_seq= did not come within 2 s */

/* All of the above, NULL-terminated (for /problems and the tests). */
extern const struct err_kind *const API_ERRORS[];

#endif
