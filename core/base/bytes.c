#include "base/bytes.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CAP 64
#define SMALL_CAP 1024 /* most answers have 400 to 1,000 bytes: three steps, not five */

void bytes_init(struct bytes *b, size_t max)
{
    *b = BYTES_INIT(max);
}

void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = BYTES_INIT(b->max);
}

void bytes_clear(struct bytes *b)
{
    b->len = 0;
    b->full = false;
    if (b->data)
        b->data[0] = '\0';
}

static void grow(struct bytes *b, size_t need)
{
    size_t cap = b->cap ? b->cap : LEAST_CAP;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap < SMALL_CAP ? cap * 4 : cap * 2;
    if (b->max < SIZE_MAX && cap > b->max + 1)
        cap = b->max + 1;
    b->data = mem_resize(b->data, cap, 1);
    b->cap = cap;
}

char *bytes_room(struct bytes *b, size_t more)
{
    /* The last byte of SIZE_MAX is kept for the NUL. */
    if (more > b->max - b->len || more >= SIZE_MAX - b->len) {
        b->full = true;
        return NULL;
    }
    if (b->len + more + 1 > b->cap)
        grow(b, b->len + more + 1);
    return b->data + b->len;
}

char *bytes_take(struct bytes *b, size_t *len)
{
    char *data = b->data ? b->data : mem_copy("", 0);
    if (len)
        *len = b->len;
    *b = BYTES_INIT(b->max);
    return data;
}

bool bytes_add(struct bytes *b, const void *data, size_t len)
{
    char *to = bytes_room(b, len);
    if (!to)
        return false;
    if (len)
        memcpy(to, data, len);
    to[len] = '\0';
    b->len += len;
    return true;
}

bool bytes_text(struct bytes *b, const char *text)
{
    return bytes_add(b, text, strlen(text));
}

bool bytes_char(struct bytes *b, char c)
{
    char *to = bytes_room(b, 1);
    if (!to)
        return false;
    to[0] = c;
    to[1] = '\0';
    b->len++;
    return true;
}

bool bytes_vprintf(struct bytes *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->len; /* 0 before the first growth */
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    char *to = n < 0 ? NULL : bytes_room(b, len);
    if (to) {
        if (len >= room)
            vsnprintf(to, len + 1, fmt, again);
        b->len += len;
    } else {
        b->full = true;
        if (b->data)
            b->data[b->len] = '\0'; /* undo the try */
    }
    va_end(again);
    return to != NULL;
}

bool bytes_printf(struct bytes *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = bytes_vprintf(b, fmt, ap);
    va_end(ap);
    return ok;
}

static bool add_decimal(struct bytes *b, uint64_t n, bool negative)
{
    char text[21];
    char *p = text + sizeof text;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    if (negative)
        *--p = '-';
    return bytes_add(b, p, (size_t)(text + sizeof text - p));
}

bool bytes_uint(struct bytes *b, uint64_t n)
{
    return add_decimal(b, n, false);
}

bool bytes_int(struct bytes *b, int64_t n)
{
    return add_decimal(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}
