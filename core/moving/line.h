/* line: one line of an export: an object, whose last member is a checksum of the line chained to
 * the one before. Room: moving. Threads: one owner. */
#ifndef PADDOCK_MOVING_LINE_H
#define PADDOCK_MOVING_LINE_H

#include "base/bytes.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LINE_MAX_BYTES ((size_t)512 << 20) /* the greatest record, as base64 */

struct line_writer {
    FILE *file;
    struct bytes text; /* json_kv_...() writes further members */
    uint64_t sum, count;
};

void line_writer_init(struct line_writer *w, FILE *file);
void line_writer_release(struct line_writer *w);
/* Begin with `"kind":kind`. */
void line_begin(struct line_writer *w, const char *kind);
/* A member that holds `len` bytes as base64. */
void line_put_data(struct line_writer *w, const char *name, const void *data, size_t len);
/* Add the checksum and write it. */
bool line_end(struct line_writer *w, struct err *e) MUST_CHECK;

struct line_reader {
    FILE *file;
    char *buffer; /* what has been read of the file; the line begins at `at` */
    size_t at, len, cap;
    uint64_t sum, count; /* lines read; the number of the current one */
    json_t *object;      /* the current line */
};

void line_reader_init(struct line_reader *r, FILE *file);
void line_reader_release(struct line_reader *r);
/* Read and check the next; every failure names the line. The end of the file is a failure, too: an
 * export ends with a line that says so. An object with a wrong checksum is there all the same. */
bool line_next(struct line_reader *r, struct err *e) MUST_CHECK;
/* Has the file nothing more? */
bool line_is_last(struct line_reader *r);
/* Fail with the number of the line. Returns false. */
bool line_wrong(const struct line_reader *r, struct err *e, const char *what);
/* Members; texts live until the next line. False and `e` where one is missing or of another type.
 */
bool line_text(struct line_reader *r, const char *name, const char **out, struct err *e) MUST_CHECK;
bool line_text_or_null(struct line_reader *r, const char *name, const char **out, struct err *e)
    MUST_CHECK;
bool line_int(struct line_reader *r, const char *name, int64_t *out, struct err *e) MUST_CHECK;
/* Bytes, on the heap: free(). */
bool line_data(struct line_reader *r, const char *name, void **out, size_t *len, struct err *e)
    MUST_CHECK;

#endif
