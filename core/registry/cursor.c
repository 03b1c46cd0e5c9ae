#include "registry/cursor.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "registry/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_MAX 4096 /* bytes of its text; the longest key is under 2,400 */

static const char *const SORTS[] = {
    [SORT_MODEL_ID] = "model_id",     [SORT_NAME] = "name",
    [SORT_VERSION] = "version",       [SORT_CREATED_AT] = "created_at",
    [SORT_UPDATED_AT] = "updated_at", [SORT_STATUS] = "status",
};

int model_sort_parse(const char *text)
{
    for (size_t i = 0; i < sizeof SORTS / sizeof *SORTS; i++)
        if (strcmp(SORTS[i], text) == 0)
            return (int)i;
    return -1;
}

/* --- order --- */

/* The first eight bytes, so that most texts need no look at the rest. */
static uint64_t text_prefix(const char *text)
{
    uint64_t prefix = 0;
    for (int i = 0; i < 8; i++)
        prefix = prefix << 8 | (*text ? (unsigned char)*text++ : 0);
    return prefix;
}

static uint64_t number_prefix(enum model_sort sort, const struct model *m)
{
    switch (sort) {
    case SORT_CREATED_AT: return (uint64_t)m->created_at;
    case SORT_UPDATED_AT: return (uint64_t)m->updated_at;
    default: return (uint64_t)m->status;
    }
}

struct sort_key sort_key_of(enum model_sort sort, const struct model *m)
{
    struct sort_key key = {.id = m->entity.id, .ns = m->entity.ns, .model = m};
    switch (sort) {
    case SORT_MODEL_ID: key.text = m->entity.id; break;
    case SORT_NAME: key.text = m->name; break;
    case SORT_VERSION: key.text = m->version; break;
    default: key.prefix = number_prefix(sort, m); return key;
    }
    key.prefix = sort == SORT_VERSION ? m->version_key : text_prefix(key.text);
    return key;
}

bool sort_prefix_is_all(enum model_sort sort)
{
    return sort == SORT_CREATED_AT || sort == SORT_UPDATED_AT || sort == SORT_STATUS;
}

struct sort_key sort_key_of_row(enum model_sort sort, const struct model_rows *rows, size_t at,
                                const struct model *m)
{
    struct sort_key key = {.model = m};
    if (!sort_prefix_is_all(sort) || !sort_prefix_of(sort, rows, at, &key.prefix))
        return sort_key_of(sort, m);
    return key;
}

bool sort_prefix_of(enum model_sort sort, const struct model_rows *rows, size_t at,
                    uint64_t *prefix)
{
    switch (sort) {
    case SORT_VERSION: *prefix = rows->version_key[at]; return true;
    case SORT_CREATED_AT: *prefix = (uint64_t)rows->created_at[at]; return true;
    case SORT_UPDATED_AT: *prefix = (uint64_t)rows->updated_at[at]; return true;
    case SORT_STATUS: *prefix = rows->status[at]; return true;
    case SORT_NAME:
    case SORT_MODEL_ID: return false;
    }
    return false;
}

static const char *key_id(const struct sort_key *key)
{
    return key->id ? key->id : key->model->entity.id;
}

static const char *key_ns(const struct sort_key *key)
{
    return key->ns ? key->ns : key->model->entity.ns;
}

int sort_key_compare(enum model_sort sort, const struct sort_key *a, const struct sort_key *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    int order = 0;
    if (a->text && a->text != b->text)
        order = sort == SORT_VERSION ? version_compare(a->text, b->text) : strcmp(a->text, b->text);
    if (order == 0 && a->place && b->place)
        return a->place < b->place ? -1 : a->place > b->place;
    if (order == 0)
        order = strcmp(key_id(a), key_id(b));
    return order ? order : strcmp(key_ns(a), key_ns(b));
}

/* --- text ---
 * base64url of: a letter for the order, its direction, and three texts each ending in NUL: the
 * value (text, or a number in hexadecimal), the id, the namespace. */

static const char *pack(char order, bool descending, const char *const part[3], struct arena *a)
{
    struct bytes b = BYTES_INIT(CURSOR_MAX);
    bytes_char(&b, order);
    bytes_char(&b, descending ? '-' : '+');
    for (int i = 0; i < 3; i++)
        bytes_add(&b, part[i], strlen(part[i]) + 1);
    char *text = arena_zero(a, 4 * ((b.len + 2) / 3) + 1);
    base64url_encode(b.data, b.len, text);
    bytes_release(&b);
    return text;
}

static bool unpack(const char *text, char order, bool descending, struct arena *a,
                   const char *part[3], struct err *e)
{
    char *data = arena_zero(a, CURSOR_MAX + 1);
    size_t given = strlen(text);
    long len = given <= 2 * CURSOR_MAX ? base64url_decode(text, given, data, CURSOR_MAX) : -1;
    bool ok =
        len > 2 && data[0] == order && data[1] == (descending ? '-' : '+') && data[len - 1] == '\0';
    const char *at = data + 2;
    for (int i = 0; ok && i < 3; i++) {
        ok = at < data + len;
        part[i] = at;
        at += ok ? strlen(at) + 1 : 0;
    }
    return (ok && at == data + len) ||
           fail(e, &ERR_INVALID, "the cursor is not one of this list and order");
}

const char *cursor_write(enum model_sort sort, bool descending, const struct sort_key *key,
                         struct arena *a)
{
    char number[20];
    snprintf(number, sizeof number, "%llx", (unsigned long long)key->prefix);
    const char *part[3] = {key->text ? key->text : number, key_id(key), key_ns(key)};
    return pack((char)('a' + sort), descending, part, a);
}

static bool is_number(enum model_sort sort)
{
    return sort == SORT_CREATED_AT || sort == SORT_UPDATED_AT || sort == SORT_STATUS;
}

bool cursor_read(const char *text, enum model_sort sort, bool descending, struct arena *a,
                 struct sort_key *out, struct err *e)
{
    const char *part[3];
    char *end;
    if (!unpack(text, (char)('a' + sort), descending, a, part, e))
        return false;
    *out = (struct sort_key){.id = part[1], .ns = part[2]};
    if (!is_number(sort)) {
        out->text = part[0];
        out->prefix = sort == SORT_VERSION ? version_prefix(part[0]) : text_prefix(part[0]);
        return true;
    }
    out->prefix = strtoull(part[0], &end, 16);
    return *end == '\0' || fail(e, &ERR_INVALID, "the cursor is not one of this list and order");
}

const char *name_cursor_write(bool descending, const char *name, const char *ns, struct arena *a)
{
    const char *part[3] = {"", name, ns};
    return pack('r', descending, part, a);
}

bool name_cursor_read(const char *text, bool descending, struct arena *a, const char **name,
                      const char **ns, struct err *e)
{
    const char *part[3];
    if (!unpack(text, 'r', descending, a, part, e))
        return false;
    *name = part[1];
    *ns = part[2];
    return true;
}
