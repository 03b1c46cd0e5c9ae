#include "api/items.h"

#include "base/json.h"

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
