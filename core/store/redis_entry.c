#include "store/entries.h"
#include "store/redis.h"

#include <string.h>

/* As decimal number and newline: seq, at; then hash and eight texts, each its length and a newline
 * before it (-1: NULL). Each text is followed by a NUL, so that it can be used where it lies. */

static void put_text(struct bytes *out, const char *text, size_t len)
{
    bytes_int(out, text ? (int64_t)len : -1);
    bytes_char(out, '\n');
    if (text) {
        bytes_add(out, text, len);
        bytes_add(out, "", 1);
    }
}

void redis_entry_pack(const struct journal_entry *entry, struct bytes *out)
{
    const char *const texts[] = {entry->ns,         entry->action,    entry->entity,
                                 entry->entity_id,  entry->name,      entry->actor_id,
                                 entry->request_id, entry->to_status, entry->hash};
    bytes_uint(out, entry->seq);
    bytes_char(out, '\n');
    bytes_int(out, entry->at);
    bytes_char(out, '\n');
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_text(out, texts[i], texts[i] ? strlen(texts[i]) : 0);
    put_text(out, entry->text, entry->text_len);
}

struct unpacking {
    const char *at;
    size_t left;
};

static bool get_number(struct unpacking *u, int64_t *out)
{
    uint64_t n = 0;
    bool minus = u->left > 0 && *u->at == '-';
    size_t i = minus;
    for (; i < u->left && u->at[i] >= '0' && u->at[i] <= '9' && i < 20; i++)
        n = n * 10 + (uint64_t)(u->at[i] - '0');
    if (i == minus || i == u->left || u->at[i] != '\n')
        return false;
    *out = minus ? (int64_t)-n : (int64_t)n;
    u->at += i + 1;
    u->left -= i + 1;
    return true;
}

static bool get_text(struct unpacking *u, const char **text, size_t *text_len)
{
    int64_t len;
    *text = NULL;
    *text_len = 0;
    if (!get_number(u, &len) || len < -1)
        return false;
    if (len == -1)
        return true;
    if ((uint64_t)len >= u->left || u->at[len] != '\0')
        return false;
    *text = u->at;
    *text_len = (size_t)len;
    u->at += len + 1;
    u->left -= (size_t)len + 1;
    return true;
}

bool redis_entry_unpack(const char *data, size_t len, struct journal_entry *out)
{
    struct unpacking u = {data, len};
    int64_t seq;
    size_t size;
    const char *hash;
    *out = (struct journal_entry){0};
    const char **const texts[] = {&out->ns,         &out->action,    &out->entity,
                                  &out->entity_id,  &out->name,      &out->actor_id,
                                  &out->request_id, &out->to_status, &hash};
    if (!get_number(&u, &seq) || !get_number(&u, &out->at))
        return false;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!get_text(&u, texts[i], &size))
            return false;
    if (!hash || size >= sizeof out->hash || !get_text(&u, &out->text, &out->text_len) ||
        !out->text || u.left)
        return false;
    memcpy(out->hash, hash, size + 1);
    out->seq = (uint64_t)seq;
    return out->ns && out->action && out->entity && out->entity_id && out->actor_id;
}

const char *redis_index_of(size_t i, const struct journal_entry *entry, struct arena *a,
                           size_t *len)
{
    static const char PREFIXES[REDIS_INDEXES][4] = {"ns:", "id:", "nm:", "by:", "ac:", "to:"};
    const char *const texts[REDIS_INDEXES] = {entry->ns,       entry->entity_id, entry->name,
                                              entry->actor_id, entry->action,    entry->to_status};
    if (!texts[i])
        return NULL;
    char *text = arena_printf(a, "%s%s", PREFIXES[i], texts[i]);
    *len = strlen(text);
    return text;
}
