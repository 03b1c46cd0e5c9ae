/* idempotency: the answers kept for Idempotency-Keys. Room: engine. Threads: [any], one short lock.
 *
 * A key is scoped by the caller (token, namespace, path). begin() says what to do; a NEW key must
 * end by finish() or abandon(). The table has a bound in entries and bytes; expired ones make room;
 * past it FULL. An answer of a key that was let in is always kept, so the bytes may pass the bound
 * by what is under way. */
#ifndef PADDOCK_ENGINE_IDEMPOTENCY_H
#define PADDOCK_ENGINE_IDEMPOTENCY_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idempotency;

extern const struct err_kind KEY_REUSED; /* 422 IDEMPOTENCY_KEY_REUSED */
extern const struct err_kind KEY_IN_USE; /* 409 IDEMPOTENCY_KEY_IN_USE */
extern const struct err_kind KEYS_FULL;  /* 503 IDEMPOTENCY_KEYS_FULL */

enum key_state { KEY_NEW, KEY_REPLAY, KEY_FAIL };

/* A kept answer. `headers` are whole lines ("ETag: \"3\"\r\n") or "". */
struct kept_answer {
    int status;
    const char *headers, *type, *body;
    size_t body_len;
};

struct idempotency *idempotency_new(size_t max_entries, size_t max_bytes);
void idempotency_free(struct idempotency *t);

/* KEY_NEW: go on, the key is now under way. KEY_REPLAY: give `answer` (copied into `a`) again.
 * KEY_FAIL: `e`. */
enum key_state idempotency_begin(struct idempotency *t, const char *key, uint64_t body_hash,
                                 int64_t now_ms, struct arena *a, struct kept_answer *answer,
                                 struct err *e);
void idempotency_finish(struct idempotency *t, const char *key, const struct kept_answer *answer,
                        int64_t expires_ms);
void idempotency_abandon(struct idempotency *t, const char *key);

/* Keys held now, and the bytes they take. */
void idempotency_usage(struct idempotency *t, size_t *entries, size_t *bytes);

/* The stored form of a kept answer (with its body hash), for the commit's keys or a log. */
void kept_answer_encode(const struct kept_answer *k, uint64_t body_hash, struct bytes *out);
/* The other way round, into the arena. False if it is damaged. */
bool kept_answer_decode(const void *form, size_t len, struct arena *a, uint64_t *body_hash,
                        struct kept_answer *out) MUST_CHECK;
/* Put a stored form back at start. False if it is damaged or expired. */
bool idempotency_restore(struct idempotency *t, const char *key, const void *data, size_t len,
                         int64_t expires_ms, int64_t now_ms);

#endif
