#include "text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

void text_put(struct text *t, const char *data, size_t len)
{
    if (t->full || len >= t->max - t->len) {
        t->full = true;
        return;
    }
    if (t->len + len + 1 > t->size) {
        size_t size = t->size ? t->size : 256;
        while (size < t->len + len + 1)
            size *= 2;
        char *data_new = realloc(t->data, size);
        if (!data_new) {
            t->full = true;
            return;
        }
        t->data = data_new;
        t->size = size;
    }
    if (len)
        memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_puts(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
    char piece[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof piece)
        t->full = true;
    else
        text_put(t, piece, (size_t)len);
}

bool text_json_string(struct text *t, const char *data, size_t len)
{
    json_t *string = json_stringn(data ? data : "", len);
    char *encoded = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (encoded)
        text_puts(t, encoded);
    free(encoded);
    json_decref(string);
    return encoded != NULL;
}

void text_clear(struct text *t)
{
    t->len = 0;
    t->full = false;
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){.max = t->max};
}

const char *text_excerpt(const char *data, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 4 < size; i++) {
        unsigned char c = (unsigned char)data[i];
        bool gap = c <= ' ';
        if (gap && (n == 0 || out[n - 1] == ' '))
            continue;
        out[n++] = (char)(gap ? ' ' : c < 0x7f ? c : '?');
    }
    out[n] = '\0';
    if (n + 4 >= size)
        memcpy(out + n, "...", 4);
    return out;
}
