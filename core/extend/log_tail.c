#include "extend/log_tail.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

void log_tail_add(struct log_tail *t, const char *data, size_t len)
{
    if (!t->ring)
        t->ring = mem_alloc(t->size);
    if (len > t->size) {
        t->total += len - t->size;
        data += len - t->size;
        len = t->size;
    }
    size_t at = t->total % t->size;
    size_t first = len < t->size - at ? len : t->size - at;
    memcpy(t->ring + at, data, first);
    memcpy(t->ring, data + first, len - first);
    t->total += len;
}

void log_tail_release(struct log_tail *t)
{
    free(t->ring);
    t->ring = NULL;
    t->total = 0;
}

size_t log_tail_copy(const struct log_tail *t, char *out)
{
    if (t->total <= t->size) {
        if (t->total)
            memcpy(out, t->ring, t->total);
        return t->total;
    }
    size_t at = t->total % t->size;
    memcpy(out, t->ring + at, t->size - at);
    memcpy(out + t->size - at, t->ring, at);
    return t->size;
}

size_t log_tail_clean(char *text, size_t len)
{
    size_t from = 0, to = 0;
    while (from < len && from < 4 && ((unsigned char)text[from] & 0xc0) == 0x80)
        from++;
    while (from < len) {
        uint32_t code;
        size_t n = utf8_next(text + from, len - from, &code);
        bool shown = n && (code >= 0x20 || code == '\t' || code == '\n') && code != 0x7f;
        if (!shown) {
            text[to++] = '?';
            from += n ? n : 1;
            continue;
        }
        memmove(text + to, text + from, n);
        to += n;
        from += n;
    }
    return to;
}
