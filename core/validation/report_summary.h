/* report_summary: the sentence of a report. Room: validation, for report.c. Threads: pure. */
#ifndef PADDOCK_VALIDATION_REPORT_SUMMARY_H
#define PADDOCK_VALIDATION_REPORT_SUMMARY_H

#include "validation/report.h"

/* One sentence that says what to do, in `a` (at most 1 KiB of it). */
const char *report_summary(const struct report_input *in, const struct report *r, struct arena *a);

#endif
