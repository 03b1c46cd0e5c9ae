#include "telemetry/block.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

#define SEGMENT_MAGIC UINT64_C(0x0131474553444150) /* "PADSEG1" and the version */
#define BLOCK_MAGIC   UINT32_C(0x4b424450)         /* "PDBK" */

/* What the checksum of a head covers comes first; the checksum is its last word. */
struct segment_form {
    uint64_t magic, first, after;
    uint64_t unused[4];
    uint32_t zero, checksum;
};
_Static_assert(sizeof(struct segment_form) == SEGMENT_HEAD_SIZE, "segment head");

struct block_form {
    uint32_t magic, payload_len;
    uint64_t position, group;
    uint32_t payload_checksum, key_len, key_checksum;
    uint32_t zero[2];
    uint32_t checksum;
};
_Static_assert(sizeof(struct block_form) == BLOCK_HEAD_SIZE, "block head");

void segment_head_encode(const struct segment_head *h, char out[SEGMENT_HEAD_SIZE])
{
    struct segment_form f = {.magic = SEGMENT_MAGIC, .first = h->first, .after = h->after};
    f.checksum = checksum32(&f, offsetof(struct segment_form, checksum));
    memcpy(out, &f, sizeof f);
}

bool segment_head_decode(struct segment_head *h, const char in[SEGMENT_HEAD_SIZE])
{
    struct segment_form f;
    memcpy(&f, in, sizeof f);
    *h = (struct segment_head){f.first, f.after};
    return f.magic == SEGMENT_MAGIC && f.first > f.after && f.first <= POSITION_MAX &&
           f.checksum == checksum32(&f, offsetof(struct segment_form, checksum));
}

void block_head_encode(const struct block_head *h, char out[BLOCK_HEAD_SIZE])
{
    struct block_form f = {.magic = BLOCK_MAGIC,
                           .payload_len = h->payload_len,
                           .position = h->position,
                           .group = h->group,
                           .payload_checksum = h->payload_checksum,
                           .key_len = h->key_len,
                           .key_checksum = h->key_checksum};
    f.checksum = checksum32(&f, offsetof(struct block_form, checksum));
    memcpy(out, &f, sizeof f);
}

bool block_head_decode(struct block_head *h, const char in[BLOCK_HEAD_SIZE])
{
    struct block_form f;
    memcpy(&f, in, sizeof f);
    if (f.magic != BLOCK_MAGIC ||
        f.checksum != checksum32(&f, offsetof(struct block_form, checksum)))
        return false;
    *h = (struct block_head){f.position,         f.group,   f.payload_len,
                             f.payload_checksum, f.key_len, f.key_checksum};
    return h->position <= POSITION_MAX && h->group > 0 && h->group <= h->position;
}

bool block_body_good(const struct block_head *h, const char *body)
{
    return checksum32(body, h->payload_len) == h->payload_checksum &&
           (h->key_len == 0 || checksum32(body + h->payload_len, h->key_len) == h->key_checksum);
}

char *block_key_encode(const struct block_key *k, uint32_t *len)
{
    uint64_t key_len = k->key_len;
    *len = (uint32_t)(sizeof k->expires_ms + sizeof key_len + k->key_len + k->value_len);
    char *out = mem_alloc(*len), *p = out;
    memcpy(p, &k->expires_ms, sizeof k->expires_ms);
    p += sizeof k->expires_ms;
    memcpy(p, &key_len, sizeof key_len);
    p += sizeof key_len;
    memcpy(p, k->key, k->key_len);
    if (k->value_len)
        memcpy(p + k->key_len, k->value, k->value_len);
    return out;
}

bool block_key_decode(struct block_key *k, const char *data, size_t len)
{
    uint64_t key_len;
    size_t fixed = sizeof k->expires_ms + sizeof key_len;
    if (len < fixed)
        return false;
    memcpy(&k->expires_ms, data, sizeof k->expires_ms);
    memcpy(&key_len, data + sizeof k->expires_ms, sizeof key_len);
    if (key_len > len - fixed)
        return false;
    k->key = data + fixed;
    k->key_len = key_len;
    k->value = k->key + key_len;
    k->value_len = len - fixed - key_len;
    return true;
}
