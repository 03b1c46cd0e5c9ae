#include "api/items.h"

#include "api/call.h"
#include "api/page_cursor.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdlib.h>
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

bool items_page_open(struct items_page *p, const struct parameters *q, const char *list,
                     const char *usual, struct arena *a, struct err *e)
{
    const char *order = q->sort ? q->sort : usual;
    *p =
        (struct items_page){.order = order, .descending = *order == '-', .limit = (size_t)q->limit};
    if (q->from && q->to && q->from >= q->to)
        return call_fault(a, "from", e, "must lie before to");
    p->tag = arena_printf(a, "%s %s", list, order);
    return page_cursor_read(a, q->cursor, p->tag, &p->after, e);
}

bool items_page_by(const struct items_page *p, const char *field)
{
    return strcmp(p->order + p->descending, field) == 0;
}

bool items_page_passed(const struct items_page *p, const char *key)
{
    if (!p->after)
        return false;
    int order = strcmp(key, p->after);
    return p->descending ? order >= 0 : order <= 0;
}

bool items_page_takes(struct items_page *p, const struct bytes *out, const char *key)
{
    p->total++;
    if (items_page_passed(p, key))
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
    const char *next = p->more && p->last ? page_cursor_make(a, p->tag, p->last) : NULL;
    items_end(out, p->total, next);
}

const char *items_number(struct arena *a, int64_t number)
{
    return arena_printf(a, "%020" PRId64, number);
}

void items_note(struct items_heap *h, struct arena *a, const char *key, const void *of)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        struct item *list = arena_zero(a, h->cap * sizeof *list);
        if (h->n)
            memcpy(list, h->list, h->n * sizeof *list);
        h->list = list;
    }
    h->list[h->n++] = (struct item){key, of};
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

void items_give(struct items_heap *h, struct items_page *p, struct bytes *out,
                void (*put)(struct bytes *out, const void *of, void *ctx), void *ctx)
{
    if (h->n)
        qsort(h->list, h->n, sizeof *h->list, by_key);
    for (size_t i = 0; i < h->n; i++) {
        const struct item *one = &h->list[p->descending ? h->n - 1 - i : i];
        if (items_page_takes(p, out, one->key))
            put(out, one->of, ctx);
    }
}
