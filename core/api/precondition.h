/* precondition: If-Match and If-None-Match (RFC 9110, 13.1) as the one revision that a command
 * demands, or does not want to find. Room: api. Threads: pure, [any]. */
#ifndef PADDOCK_API_PRECONDITION_H
#define PADDOCK_API_PRECONDITION_H

#include "base/err.h"

#include <stdint.h>

#define MATCH_NOTHING_ASKED (-1) /* no header */
#define MATCH_ANY           (-2) /* `*`: it must exist */
#define MATCH_NEVER         0    /* no tag of the header can be a revision: weak, or not a number */

/* `header` may be NULL. Of a list, the tag that equals `current` (the revision now, 0: there is
 * none), else the first. Weak tags never match. False (ERR_INVALID) if it is not what RFC 9110
 * calls If-Match. */
bool if_match_parse(const char *header, int64_t current, int64_t *demanded, struct err *e)
    MUST_CHECK;
/* The same of If-None-Match, whose weak tags count as strong ones. */
bool if_none_match_parse(const char *header, int64_t current, int64_t *unwanted, struct err *e)
    MUST_CHECK;

#endif
