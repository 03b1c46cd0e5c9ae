/* review: what a night's measurements say once its runs are over. Room: validation. Threads:
 * begun and done on [supervisor], the work in between on [verdicts].
 *
 * A series is a measurement of the nightly runs of a name's stable versions, one run a night. All
 * series of a namespace are judged together (night.h), for the false discoveries of a night are
 * counted over all. A name whose stable got worse for good is an alert ("nightly:" and the name)
 * until a night finds it as it should be. */
#ifndef PADDOCK_VALIDATION_REVIEW_H
#define PADDOCK_VALIDATION_REVIEW_H

#include <stdint.h>

struct validation;

/* Judge what was measured since `since` (ms). `done` is called with `owner`, unless the server is
 * being stopped meanwhile. */
void review_begin(struct validation *v, const char *ns, int64_t since, void (*done)(void *owner),
                  void *owner);

#endif
