/* fault: the list of what is wrong with an input, each with a JSON Pointer. Room: base.
 * Threads: one owner. */
#ifndef PADDOCK_BASE_FAULT_H
#define PADDOCK_BASE_FAULT_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>

#define FAULTS_LISTED 100 /* more are counted, not listed */

struct fault {
    const struct err_kind *kind;
    const char *pointer; /* "/17/latency_ms"; "" is the whole document */
    const char *detail;  /* "must be a number from 0 to 86400000, got -3" */
};

struct faults {
    struct arena *arena; /* where texts are kept */
    struct fault list[FAULTS_LISTED];
    size_t listed, total;
};

extern const struct err_kind ERR_UNKNOWN_FIELD;     /* 400 UNKNOWN_FIELD */
extern const struct err_kind ERR_UNKNOWN_PARAMETER; /* 400 UNKNOWN_PARAMETER */
extern const struct err_kind ERR_READ_ONLY_FIELD;   /* 400 READ_ONLY_FIELD */
extern const struct err_kind ERR_MALFORMED_JSON;    /* 400 MALFORMED_JSON */

void faults_init(struct faults *f, struct arena *arena);
/* Add one. `pointer` is copied; both texts are cut at 500 bytes. Returns false, so that a check
 * can end with it. */
bool fault_add(struct faults *f, const struct err_kind *kind, const char *pointer, const char *fmt,
               ...) PRINTF_LIKE(4, 5);
/* Turn the list into one failure: a single fault keeps its kind, several are ERR_INVALID.
 * `e->members` gets `"errors":[...]` (and `"errors_total"` when some are not listed). Returns
 * false; must not be called on an empty list. */
bool faults_fail(const struct faults *f, struct err *e);
/* Append `/name` to a pointer, escaped as RFC 6901 requires, into `out`; cut if it does not fit. */
void pointer_join(char *out, size_t size, const char *pointer, const char *name);

/* For the static analyser: see err.h. */
#ifdef __clang_analyzer__
#define faults_fail(...) ((void)faults_fail(__VA_ARGS__), false)
#endif

#endif
