#include "api/ofrep_ticket.h"

#include "base/hmac.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOUR_MS  3600000
#define FACTS    512 /* bytes of the text that is signed, with its NUL */
#define MAC      16
#define ENCODED  (4 * ((FACTS - 1 + MAC + 2) / 3) + 1)
#define PURPOSE  "ofrep" /* no decision id, which the same key signs, begins so */
#define PURPOSED "ofrep %" SCNu8 " %" SCNd64 " %" SCNu64 " %" SCNd64 " %257s %128s%c"

_Static_assert(OFREP_TICKET_SIZE >= ENCODED, "a ticket fits");
_Static_assert(OFREP_TICKET_ID == 257 && OFREP_TICKET_NS == 128, "as PURPOSED reads them");

int64_t ofrep_ticket_hour(int64_t now_ms)
{
    return now_ms / HOUR_MS;
}

static void sign(const struct decision_key *key, const char *facts, size_t len, uint8_t out[MAC])
{
    uint8_t full[SHA256_SIZE];
    hmac_sha256(key->secret, sizeof key->secret, facts, len, full);
    memcpy(out, full, MAC);
}

bool ofrep_ticket_make(const struct decision_keys *keys, const struct ofrep_ticket *t,
                       int64_t now_ms, char out[OFREP_TICKET_SIZE])
{
    char raw[FACTS + MAC];
    const struct decision_key *key = decision_keys_signing(keys);
    /* The texts are ids, without blanks. */
    int len = snprintf(raw, FACTS, PURPOSE " %u %" PRId64 " %" PRIu64 " %" PRId64 " %s %s",
                       (unsigned)key->id, ofrep_ticket_hour(now_ms) + 1, t->token_uid,
                       t->token_revision, t->actor_id, t->ns);
    if (len < 0 || len >= FACTS)
        return false;
    sign(key, raw, (size_t)len, (uint8_t *)raw + len);
    base64url_encode(raw, (size_t)len + MAC, out);
    return true;
}

/* As long for a wrong signature as for a right one. */
static bool signed_by(const struct decision_key *key, const char *raw, size_t len)
{
    uint8_t mac[MAC], differ = 0;
    sign(key, raw, len, mac);
    for (size_t i = 0; i < MAC; i++)
        differ |= mac[i] ^ (uint8_t)raw[len + i];
    return differ == 0;
}

bool ofrep_ticket_read(const struct decision_keys *keys, const char *text, int64_t now_ms,
                       struct ofrep_ticket *out)
{
    char raw[FACTS + MAC], facts[FACTS] = "", rest;
    uint8_t id;
    int64_t hour;
    long size = base64url_decode(text, strlen(text), raw, sizeof raw - 1);
    if (size <= MAC || size - MAC >= FACTS)
        return false;
    memcpy(facts, raw, (size_t)size - MAC);
    if (sscanf(facts, PURPOSED, &id, &hour, &out->token_uid, &out->token_revision, out->actor_id,
               out->ns, &rest) != 6)
        return false;
    const struct decision_key *key = decision_keys_find(keys, id);
    return key && signed_by(key, raw, (size_t)size - MAC) && ofrep_ticket_hour(now_ms) <= hour;
}
