/* report: the second stage's lines to the first. Room: worker. Threads: [any], one lock. */
#ifndef PADDOCK_WORKER_REPORT_H
#define PADDOCK_WORKER_REPORT_H

#include "base/bytes.h"
#include "base/err.h"

#define EXIT_REPORT_CLOSED 113 /* the descriptor for reports is no longer ours */

/* Lines go to `fd` with this hop's nonce. The process ends with EXIT_REPORT_CLOSED when they cannot
 * be written any more. */
void report_open(int fd, const char *nonce);

/* One line: `members` are those of the kind's object, without braces. */
void report_line(const char *kind, const struct bytes *members);
/* A line with the one member `message`, formatted, cut to REPORT_TEXT bytes of valid UTF-8. */
void report_text(const char *kind, const char *fmt, ...) PRINTF_LIKE(2, 3);
void report_vtext(const char *kind, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Append a formatted text as a member, cut and made valid likewise. */
void report_member(struct bytes *line, const char *key, const char *fmt, va_list args)
    PRINTF_LIKE(3, 0);

/* The same from a signal handler: no lock, no heap. `where` must need no escaping. */
void report_crash(int signal, const char *where);

#endif
