#include "api/keys.h"

#include "base/hash.h"
#include "base/ids.h"
#include "store/nodes.h"

#include <inttypes.h>
#include <string.h>

#define KEY_MAX 128
static const char HEADER[] = "Idempotency-Key";

void body_hash_start(struct body_hash *h)
{
    h->hash = 0;
    h->used = 0;
}

void body_hash_add(struct body_hash *h, const char *data, size_t len)
{
    while (len > 0) {
        size_t room = sizeof h->block - h->used, n = len < room ? len : room;
        memcpy(h->block + h->used, data, n);
        h->used += n;
        data += n;
        len -= n;
        if (h->used == sizeof h->block) {
            h->hash = hash64(h->block, h->used, h->hash);
            h->used = 0;
        }
    }
}

uint64_t body_hash_end(struct body_hash *h)
{
    return hash64(h->block, h->used, h->hash);
}

bool keys_asked(const struct request *rq)
{
    return request_route(rq)->flags & ROUTE_KEYED && request_header(rq, HEADER);
}

/* A digest, so that any path and any key make a key of one size that no other scope can equal. */
static const char *scoped_key(const struct call *c, const char *key)
{
    const struct request *rq = c->rq;
    const char *text = arena_printf(c->arena, "%s\n%s\n%s\n%s\n%s", request_actor_kind(rq),
                                    request_actor_id(rq), c->ns, request_path(rq), key);
    char hex[SHA256_HEX_SIZE];
    sha256_hex(text, strlen(text), hex);
    return arena_text(c->arena, hex);
}

struct claim {
    struct api *api;
    struct asked_key key;
};

static void keep_answer(struct request *rq, int status, const char *headers, const char *type,
                        const char *body, size_t len, void *ctx)
{
    (void)rq;
    const struct claim *claim = ctx;
    if (status == 429 || status >= 500) {
        idempotency_abandon(claim->api->keys, claim->key.scoped);
        return;
    }
    const struct kept_answer answer = {
        .status = status, .headers = headers, .type = type, .body = body, .body_len = len};
    idempotency_finish(claim->api->keys, claim->key.scoped, &answer, claim->key.expires_ms);
}

/* Add the header lines of a kept answer to the reply. */
static void replay_headers(struct request *rq, const char *lines)
{
    struct arena *a = request_arena(rq);
    while (lines && *lines) {
        size_t len = strcspn(lines, "\r\n");
        const char *colon = memchr(lines, ':', len);
        if (colon) {
            const char *name = arena_copy(a, lines, (size_t)(colon - lines));
            const char *value = colon + 1 + strspn(colon + 1, " ");
            request_add_header(rq, name, arena_copy(a, value, len - (size_t)(value - lines)));
        }
        lines += len;
        lines += strspn(lines, "\r\n");
    }
}

/* An answer is written to disk before its change has a sequence; after a restart the view's, which
 * is no less, stands for it. */
static void replay_sequence(struct call *c, const struct kept_answer *kept)
{
    bool change = !(request_route(c->rq)->flags & ROUTE_STREAM_BODY);
    if (!change || kept->status >= 400 || strstr(kept->headers, "Paddock-Seq:"))
        return;
    request_add_header(c->rq, "Paddock-Seq", arena_printf(c->arena, "%" PRIu64, call_seq(c)));
    request_add_header(c->rq, "Paddock-Epoch",
                       arena_printf(c->arena, "%" PRIu64, store_epoch(c->api->store)));
}

void keys_replay(struct request *rq, const struct kept_answer *kept)
{
    replay_headers(rq, kept->headers);
    request_reply(rq, kept->status, kept->type, kept->body, kept->body_len);
}

bool keys_begin(struct call *c, uint64_t body_hash, int64_t keep_ms, struct asked_key *out)
{
    *out = (struct asked_key){.body_hash = body_hash};
    if (!keys_asked(c->rq))
        return true;
    const char *key = request_header(c->rq, HEADER);
    if (!token_printable(key, KEY_MAX)) {
        call_refuse(c, HEADER, "must be 1 to %d printable characters", KEY_MAX);
        return false;
    }
    int64_t now = loop_wall_ms(request_loop(c->rq));
    out->scoped = scoped_key(c, key);
    out->expires_ms = now + keep_ms;
    struct kept_answer kept;
    struct err e;
    switch (idempotency_begin(c->api->keys, out->scoped, body_hash, now, c->arena, &kept, &e)) {
    case KEY_NEW: {
        struct claim *claim = arena_zero(c->arena, sizeof *claim);
        *claim = (struct claim){c->api, *out};
        request_on_reply(c->rq, keep_answer, claim);
        return true;
    }
    case KEY_REPLAY:
        replay_sequence(c, &kept);
        keys_replay(c->rq, &kept);
        return false;
    case KEY_FAIL: request_fail(c->rq, &e); return false;
    }
    return false;
}
