#include "api/ofrep_ticket.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOUR_MS  3600000
#define FACTS    512 /* bytes of the text that is signed, with its NUL */
#define ENCODED  (4 * ((FACTS - 1 + DECISION_MAC + 2) / 3) + 1)
#define PURPOSE  "ofrep" /* no decision id, which the same key signs, begins so */
#define PURPOSED "ofrep %" SCNu8 " %" SCNd64 " %" SCNu64 " %" SCNd64 " %257s %128s%c"

_Static_assert(OFREP_TICKET_SIZE >= ENCODED, "a ticket fits");
_Static_assert(OFREP_TICKET_ID == 257 && OFREP_TICKET_NS == 128, "as PURPOSED reads them");

int64_t ofrep_ticket_hour(int64_t now_ms)
{
    return now_ms / HOUR_MS;
}

bool ofrep_ticket_make(const struct decision_keys *keys, const struct ofrep_ticket *t,
                       int64_t now_ms, char out[OFREP_TICKET_SIZE])
{
    char raw[FACTS + DECISION_MAC];
    const struct decision_key *key = decision_keys_signing(keys);
    /* The texts are ids, without blanks. */
    int len = snprintf(raw, FACTS, PURPOSE " %u %" PRId64 " %" PRIu64 " %" PRId64 " %s %s",
                       (unsigned)key->id, ofrep_ticket_hour(now_ms) + 1, t->token_uid,
                       t->token_revision, t->actor_id, t->ns);
    if (len < 0 || len >= FACTS)
        return false;
    decision_key_sign(key, raw, (size_t)len, (uint8_t *)raw + len);
    base64url_encode(raw, (size_t)len + DECISION_MAC, out);
    return true;
}

bool ofrep_ticket_read(const struct decision_keys *keys, const char *text, int64_t now_ms,
                       struct ofrep_ticket *out)
{
    char raw[FACTS + DECISION_MAC], facts[FACTS] = "", rest;
    uint8_t id;
    int64_t hour;
    long size = base64url_decode(text, strlen(text), raw, sizeof raw - 1);
    if (size <= DECISION_MAC || size - DECISION_MAC >= FACTS)
        return false;
    memcpy(facts, raw, (size_t)size - DECISION_MAC);
    if (sscanf(facts, PURPOSED, &id, &hour, &out->token_uid, &out->token_revision, out->actor_id,
               out->ns, &rest) != 6)
        return false;
    const struct decision_key *key = decision_keys_find(keys, id);
    return key &&
           decision_key_signed(key, raw, (size_t)size - DECISION_MAC,
                               (const uint8_t *)raw + size - DECISION_MAC) &&
           ofrep_ticket_hour(now_ms) <= hour;
}
