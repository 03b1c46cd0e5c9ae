/* errors: why a selection failed. Room: selection. Threads: constants. */
#ifndef PADDOCK_SELECTION_ERRORS_H
#define PADDOCK_SELECTION_ERRORS_H

#include "base/err.h"

extern const struct err_kind NO_CANDIDATE;       /* 404 */
extern const struct err_kind UNIT_MISSING;       /* 400 TARGETING_KEY_MISSING */
extern const struct err_kind DECISION_NOT_FOUND; /* 404 */

extern const struct err_kind *const SELECTION_ERRORS[]; /* all, NULL-terminated */

#endif
