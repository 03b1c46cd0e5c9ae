/* worker_ask: one question to paddock-worker that it answers with one text. Room: extend.
 * Threads: [any]; it waits. */
#ifndef PADDOCK_EXTEND_WORKER_ASK_H
#define PADDOCK_EXTEND_WORKER_ASK_H

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

#define WORKER_COMPLAINT 1024 /* bytes of it */

struct worker_question {
    const char *const *argv; /* the program first, ended by NULL */
    const char *input;       /* on its standard input; NULL: nothing */
    int limit_ms;            /* then it and what it started are killed */
    size_t answer_max;       /* bytes */
};

/* What it wrote to descriptor 3, to be released. False if it could not be started, took too long,
 * ended by a signal or with another status than 0, or wrote nothing or too much; `e` says which, or
 * is what it complained of. */
bool worker_ask(const struct worker_question *q, struct bytes *answer, struct err *e) MUST_CHECK;

#endif
