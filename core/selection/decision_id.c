#include "selection/decision_id.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define PARTS   1e9 /* of a propensity */
#define UNKNOWN UINT32_MAX

_Static_assert(4 * ((DECISION_FACTS + DECISION_MAC) / 3) + 1 == DECISION_ID_SIZE, "no padding");

uint32_t decision_mark(const char *text, size_t len)
{
    uint32_t mark = text ? (uint32_t)(hash64(text, len, 0) >> 32) : 0;
    return text && mark == 0 ? 1 : mark;
}

/* Little-endian, `n` bytes. */
static uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static uint64_t take(const uint8_t **at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t) * (*at)++ << (8 * i);
    return value;
}

void decision_id_make(const struct decision_keys *keys, const struct decision_facts *f,
                      char out[DECISION_ID_SIZE])
{
    uint8_t raw[DECISION_FACTS + DECISION_MAC] = {0}, *at = raw;
    const struct decision_key *key = decision_keys_signing(keys);
    at = put(at, VERSION, 1);
    at = put(at, key->id, 1);
    at = put(at, f->flags, 1);
    at = put(at, f->reason, 1);
    at = put(at, (uint64_t)f->at_ms, 6);
    at = put(at, isnan(f->propensity) ? UNKNOWN : (uint64_t)llround(f->propensity * PARTS), 4);
    at = put(at, f->route_uid, 8);
    at = put(at, f->served_uid, 8);
    at = put(at, f->intended_uid, 8);
    at = put(at, f->arm, 4);
    at = put(at, f->unit, 4);
    at = put(at, f->nonce, 8);
    put(at, f->shadows, 1);
    decision_key_sign(key, raw, DECISION_FACTS, raw + DECISION_FACTS);
    base64url_encode(raw, sizeof raw, out);
}

static bool decode(const char *text, size_t len, uint8_t raw[DECISION_FACTS + DECISION_MAC])
{
    const long size = DECISION_FACTS + DECISION_MAC;
    return len == DECISION_ID_SIZE - 1 && base64url_decode(text, len, raw, (size_t)size) == size &&
           raw[0] == VERSION;
}

static void read_facts(const uint8_t *raw, struct decision_facts *out)
{
    const uint8_t *at = raw + 2;
    out->flags = (uint8_t)take(&at, 1);
    out->reason = (uint8_t)take(&at, 1);
    out->at_ms = (int64_t)take(&at, 6);
    const uint64_t parts = take(&at, 4);
    out->propensity = parts == UNKNOWN ? NAN : (double)parts / PARTS;
    out->route_uid = take(&at, 8);
    out->served_uid = take(&at, 8);
    out->intended_uid = take(&at, 8);
    out->arm = (uint32_t)take(&at, 4);
    out->unit = (uint32_t)take(&at, 4);
    out->nonce = take(&at, 8);
    out->shadows = (uint8_t)take(&at, 1);
}

enum decision_verdict decision_id_read(const struct decision_keys *keys, const char *text,
                                       size_t len, struct decision_facts *out)
{
    uint8_t raw[DECISION_FACTS + DECISION_MAC];
    const struct decision_key *key =
        decode(text, len, raw) ? decision_keys_find(keys, raw[1]) : NULL;
    if (!key)
        return DECISION_UNKNOWN;
    if (!decision_key_signed(key, raw, DECISION_FACTS, raw + DECISION_FACTS))
        return DECISION_FORGED;
    read_facts(raw, out);
    return DECISION_GOOD;
}

bool decision_id_facts(const char *text, size_t len, struct decision_facts *out)
{
    uint8_t raw[DECISION_FACTS + DECISION_MAC];
    if (!decode(text, len, raw))
        return false;
    read_facts(raw, out);
    return true;
}
