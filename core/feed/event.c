#include "feed/event.h"

#include "base/base64.h"
#include "base/hmac.h"
#include "base/json.h"
#include "registry/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void event_id(uint64_t webhook_uid, uint64_t seq, char out[EVENT_ID_SIZE])
{
    snprintf(out, EVENT_ID_SIZE, "evt_%" PRIu64 "_%" PRIu64, webhook_uid, seq);
}

/* A namespace is an identifier: nothing in it needs to be escaped in a reference. */
static void put_context(struct bytes *out, const char *ns, const char *id, const char *type,
                        const char *subject, int64_t at)
{
    bytes_text(out, "{\"specversion\":\"1.0\"");
    json_kv_string(out, "id", id);
    json_key(out, "source");
    bytes_printf(out, "\"/paddock/%s\"", ns);
    json_kv_string(out, "type", type);
    json_kv_string(out, "subject", subject);
    json_kv_time(out, "time", at);
    json_kv_string(out, "datacontenttype", "application/json");
    json_key(out, "data");
}

bool event_body(const struct journal_entry *entry, const char *id, struct bytes *out)
{
    put_context(out, entry->ns, id, entry->action, journal_entry_subject(entry), entry->at);
    journal_entry_json(entry, out);
    bytes_char(out, '}');
    return !out->full;
}

bool event_test_body(const char *ns, const char *webhook_id, const char *id, int64_t now_ms,
                     struct bytes *out)
{
    put_context(out, ns, id, "webhook.test", webhook_id, now_ms);
    bytes_char(out, '{');
    json_kv_string(out, "webhook_id", webhook_id);
    bytes_text(out, "}}");
    return !out->full;
}

bool event_sign(struct event_headers *h, const char *secret, const char *id, int64_t now_ms,
                const struct bytes *body)
{
    unsigned char key[WEBHOOK_KEY_MAX];
    uint8_t digest[SHA256_SIZE];
    char text[BASE64_SIZE(SHA256_SIZE)];
    size_t key_len = 0;
    if (!webhook_key(secret, key, &key_len))
        return false;
    struct bytes content = BYTES_INIT(EVENT_MAX + 256);
    bytes_printf(&content, "%s.%" PRId64 ".", id, now_ms / 1000);
    bytes_add(&content, body->data, body->len);
    bool whole = !content.full;
    hmac_sha256(key, key_len, content.data, content.len, digest);
    explicit_bzero(key, sizeof key);
    bytes_release(&content);
    base64_encode(digest, sizeof digest, text);
    snprintf(h->id, sizeof h->id, "webhook-id: %s", id);
    snprintf(h->timestamp, sizeof h->timestamp, "webhook-timestamp: %" PRId64, now_ms / 1000);
    snprintf(h->signature, sizeof h->signature, "webhook-signature: v1,%s", text);
    h->lines[0] = "Content-Type: application/cloudevents+json; charset=utf-8";
    h->lines[1] = "User-Agent: Paddock";
    h->lines[2] = h->id;
    h->lines[3] = h->timestamp;
    h->lines[4] = h->signature;
    h->lines[5] = NULL;
    return whole;
}
