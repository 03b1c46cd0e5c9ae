/* text: a growing buffer of bytes with a maximum. Plugin code, shared by compiling it in.
 * Threads: one owner. */
#ifndef PADDOCK_PLUGINS_TEXT_H
#define PADDOCK_PLUGINS_TEXT_H

#include <paddock/plugin.h>

/* Zero it and set `max`; then it is empty. What does not fit sets `full` and is dropped whole, and
 * so is everything after it. */
struct text {
    char *data; /* ended by NUL once anything was put; NULL before */
    size_t len, size, max;
    bool full;
};

void text_put(struct text *t, const char *data, size_t len);
void text_puts(struct text *t, const char *s);
PADDOCK_PRINTF(2, 3) void text_printf(struct text *t, const char *format, ...); /* short pieces */
/* A JSON string. False, with `full` as it was, if the bytes are no UTF-8. */
bool text_json_string(struct text *t, const char *data, size_t len);
/* Forget the content, keep the memory. */
void text_clear(struct text *t);
void text_free(struct text *t);

/* The beginning of foreign bytes, made fit for a message: printable ASCII, "..." if cut. Returns
 * `out`. */
const char *text_excerpt(const char *data, size_t len, char *out, size_t size);

#endif
