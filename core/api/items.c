#include "api/items.h"

#include "api/page_cursor.h"
#include "base/json.h"

#include <string.h>

void items_begin(struct bytes *out)
{
    bytes_text(out, "{\"items\":[");
}

void items_add(struct bytes *out, const char *json, size_t len)
{
    if (out->len && out->data[out->len - 1] != '[')
        bytes_char(out, ',');
    bytes_add(out, json, len);
}

void items_end(struct bytes *out, uint64_t total, const char *next_cursor)
{
    bytes_text(out, "],\"total\":");
    bytes_uint(out, total);
    json_kv_string(out, "next_cursor", next_cursor);
    bytes_char(out, '}');
}

bool items_page_open(struct items_page *p, const char *order, int64_t limit, const char *cursor,
                     struct arena *a, struct err *e)
{
    *p = (struct items_page){.order = order, .limit = (size_t)limit};
    return page_cursor_read(a, cursor, order, &p->after, e);
}

bool items_page_takes(struct items_page *p, const struct bytes *out, const char *key)
{
    p->total++;
    if (p->after && strcmp(key, p->after) <= 0)
        return false;
    if (p->given == p->limit || out->len > PAGE_BYTES) {
        p->more = true;
        return false;
    }
    p->given++;
    p->last = key;
    return true;
}

void items_page_end(struct bytes *out, const struct items_page *p, struct arena *a)
{
    const char *next = p->more && p->last ? page_cursor_make(a, p->order, p->last) : NULL;
    items_end(out, p->total, next);
}
