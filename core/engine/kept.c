#include "engine/inner.h"

#include "base/arena.h"
#include "base/mailbox.h"

#include <inttypes.h>
#include <string.h>

void kept_answer_of(const struct answer *answer, uint64_t seq, uint64_t epoch, struct arena *a,
                    struct kept_answer *out)
{
    const char *headers =
        arena_printf(a, "Paddock-Seq: %" PRIu64 "\r\nPaddock-Epoch: %" PRIu64 "\r\n", seq, epoch);
    if (answer->location)
        headers = arena_printf(a, "%sLocation: %s\r\n", headers, answer->location);
    if (answer->revision)
        headers = arena_printf(a, "%sETag: \"%" PRId64 "\"\r\n", headers, answer->revision);
    *out = (struct kept_answer){
        .status = answer->status,
        .headers = headers,
        .type = answer->body ? "application/json; charset=utf-8" : "",
        .body = answer->body ? answer->body : "",
        .body_len = answer->body ? answer->body_len : 0,
    };
}

static void got(struct key_request *k)
{
    struct engine *en = k->owner;
    mailbox_post_answer(en->replies, &k->mail);
}

bool engine_fetch_kept(struct engine *en, struct command *c, struct err *e)
{
    uint64_t body_hash;
    struct key_request get = {
        .op = KEY_GET,
        .key.key = arena_printf(c->arena, KEPT_PREFIX "%s", c->key),
        .arena = c->arena,
        .done = got,
        .owner = en,
    };
    en->store->ops->key(en->store, &get);
    while (!mailbox_wait(en->replies, -1))
        ;
    if (!get.ok) {
        *e = get.err;
        return false;
    }
    struct kept_answer ignored;
    c->err = (struct err){0};
    c->seq = 0;
    c->kept = get.found ? get.value : NULL;
    c->kept_len = get.value_len;
    if (!c->kept)
        return true;
    c->ok = kept_answer_decode(c->kept, c->kept_len, c->arena, &body_hash, &ignored);
    if (!c->ok) /* which is no fault of its neighbours */
        fail(&c->err, &ERR_CORRUPT, "the answer that was kept for this key cannot be read");
    else if (body_hash != c->key_body_hash)
        c->ok = fail(&c->err, &KEY_REUSED, "this Idempotency-Key came with another body before");
    return true;
}

struct restoring {
    struct idempotency *table;
    int64_t now_ms;
};

static bool restore_key(void *ctx, const struct store_key *k)
{
    const struct restoring *r = ctx;
    /* A damaged one is as good as none: its request will be carried out anew. */
    (void)idempotency_restore(r->table, k->key + strlen(KEPT_PREFIX), k->value, k->value_len,
                              k->expires_ms, r->now_ms);
    return true;
}

bool engine_restore_keys(struct store *s, struct idempotency *t, int64_t now_ms, struct err *e)
{
    struct restoring r = {t, now_ms};
    return s->ops->keys(s, KEPT_PREFIX, restore_key, &r, e);
}
