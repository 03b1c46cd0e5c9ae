/* err: why something failed. Room: base. Threads: a plain value, [any].
 *
 * A function that can fail returns bool (or a pointer) and takes `struct err *e` last;
 * `return fail(e, &ERR_X, "...")` fills it and returns false. A kind is a constant object that
 * carries its HTTP mapping, so that one table turns every failure into one problem document.
 * Each room declares the kinds it adds (registry/errors.h, http/errors.h, ...). */
#ifndef PADDOCK_BASE_ERR_H
#define PADDOCK_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* One kind of failure. `code` is SCREAMING_SNAKE; its slug is the same in kebab-case. */
struct err_kind {
    const char *code;  /* "MODEL_NOT_FOUND" */
    int status;        /* HTTP status it maps to */
    const char *title; /* "Model not found" */
    const char *doc;   /* one or two sentences for /problems/{slug}: what it means, what to do */
};

/* A failure. `members` is NULL or a fragment of JSON object members without the braces
 * (`"gate":{...},"run_id":"..."`), owned by the arena of the operation that failed. */
struct err {
    const struct err_kind *kind; /* NULL: no failure */
    const char *members;
    char detail[512]; /* a sentence for people; cut at a UTF-8 boundary if longer */
};

extern const struct err_kind ERR_INTERNAL; /* 500 INTERNAL_ERROR: a bug or a failed system call */
extern const struct err_kind ERR_MEMORY;  /* 503 OUT_OF_MEMORY: no memory for a size from outside */
extern const struct err_kind ERR_BUSY;    /* 503 OVERLOADED: a bound was reached; try again */
extern const struct err_kind ERR_IO;      /* 503 STORE_UNAVAILABLE: the disk or the store refused */
extern const struct err_kind ERR_CORRUPT; /* 500 DATA_CORRUPT: a checksum or a format is wrong */
extern const struct err_kind ERR_INVALID; /* 400 VALIDATION_FAILED */
extern const struct err_kind ERR_CONFIG;  /* 500 CONFIG_INVALID: a bad setting (at start only) */

/* Fill `e` (may be NULL) and return false. The text is formatted as by printf. */
bool fail(struct err *e, const struct err_kind *kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Like fail(), appending ": " and strerror(errno). */
bool fail_errno(struct err *e, const struct err_kind *kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The static analyser looks at one file at a time: tell it that these return false. */
#ifdef __clang_analyzer__
#define fail(...)       ((void)fail(__VA_ARGS__), false)
#define fail_errno(...) ((void)fail_errno(__VA_ARGS__), false)
#endif

#endif
