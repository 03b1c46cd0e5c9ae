/* http_case: one case of an .http file in tests/api, as text and as what is to be sent.
 *
 * The format is described in tests/api/README.md. */
#ifndef PADDOCK_TESTS_SUPPORT_HTTP_CASE_H
#define PADDOCK_TESTS_SUPPORT_HTTP_CASE_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

#define CASE_TEXT_MAX      (16 << 20)
#define CASE_VARIABLES_MAX 64

struct case_variables {
    struct {
        char name[64], value[16384];
    } list[CASE_VARIABLES_MAX];
    size_t n;
};

struct http_case {
    char *method, *target; /* or method "@raw" and the bytes in `body` */
    struct bytes headers, body;
    int status;       /* demanded */
    int within_s;     /* 0: at once */
    char *headers_in; /* demanded headers, a line each */
    char *body_in;    /* demanded body; "" if any will do */
    char *keep;       /* lines `$name = /pointer` */
    char *text;       /* owns what the pointers above point into */
};

/* Read one case, replacing variables. False: `why` says what cannot be read. */
bool http_case_read(struct http_case *c, const char *text, const struct case_variables *v,
                    char *why, size_t size);
void http_case_release(struct http_case *c);
/* Remember a value; false when there is no room. */
bool case_variable_set(struct case_variables *v, const char *name, const char *value);
/* The first line of `*at`, NUL-terminated in place; NULL at the end. */
char *case_line(char **at);

#endif
