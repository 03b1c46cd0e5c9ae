#include "engine/idempotency.h"

#include "base/grow.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const struct err_kind KEY_REUSED = {
    .code = "IDEMPOTENCY_KEY_REUSED",
    .status = 422,
    .title = "Idempotency key reused",
    .doc = "This Idempotency-Key was used before with another body. Use a fresh key for another "
           "request.",
};
const struct err_kind KEY_IN_USE = {
    .code = "IDEMPOTENCY_KEY_IN_USE",
    .status = 409,
    .title = "Idempotency key in use",
    .doc = "The first request with this Idempotency-Key is still under way. Ask again a little "
           "later; you will "
           "get its answer.",
};
const struct err_kind KEYS_FULL = {
    .code = "IDEMPOTENCY_KEYS_FULL",
    .status = 503,
    .title = "Too many kept answers",
    .doc = "The server keeps as many answers for Idempotency-Keys as it may "
           "(idempotency-keys-max). Try again "
           "later, or send the request without a key.",
};

/* --- the stored form --- */

/* 'K', version, status (2), body hash (8), three lengths (4 each), headers, type, body, checksum
 * (4); numbers are little-endian. */
#define HEAD_SIZE 24
#define VERSION   1

static void put(char *at, uint64_t n, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (char)(n >> (8 * i));
}

static uint64_t get(const char *at, int size)
{
    uint64_t n = 0;
    for (int i = 0; i < size; i++)
        n |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return n;
}

void kept_answer_encode(const struct kept_answer *k, uint64_t body_hash, struct bytes *out)
{
    size_t begin = out->len, headers = strlen(k->headers), type = strlen(k->type);
    char head[HEAD_SIZE] = {'K', VERSION}, sum[4];
    put(head + 2, (uint64_t)k->status, 2);
    put(head + 4, body_hash, 8);
    put(head + 12, headers, 4);
    put(head + 16, type, 4);
    put(head + 20, k->body_len, 4);
    if (!bytes_room(out, HEAD_SIZE + headers + type + k->body_len + sizeof sum))
        return;
    bytes_add(out, head, sizeof head);
    bytes_add(out, k->headers, headers);
    bytes_add(out, k->type, type);
    bytes_add(out, k->body, k->body_len);
    put(sum, checksum32(out->data + begin, out->len - begin), sizeof sum);
    bytes_add(out, sum, sizeof sum);
}

static bool form_valid(const char *data, size_t len)
{
    if (len < HEAD_SIZE + 4 || data[0] != 'K' || data[1] != VERSION)
        return false;
    uint64_t rest = get(data + 12, 4) + get(data + 16, 4) + get(data + 20, 4);
    return rest == len - HEAD_SIZE - 4 && get(data + len - 4, 4) == checksum32(data, len - 4);
}

static uint64_t form_hash(const char *data)
{
    return get(data + 4, 8);
}

static void form_decode(const char *data, struct arena *a, struct kept_answer *out)
{
    size_t headers = get(data + 12, 4), type = get(data + 16, 4), body = get(data + 20, 4);
    const char *at = data + HEAD_SIZE;
    out->status = (int)get(data + 2, 2);
    out->headers = arena_copy(a, at, headers);
    out->type = arena_copy(a, at + headers, type);
    out->body = arena_copy(a, at + headers + type, body);
    out->body_len = body;
}

bool kept_answer_decode(const void *form, size_t len, struct arena *a, uint64_t *body_hash,
                        struct kept_answer *out)
{
    if (!form_valid(form, len))
        return false;
    *body_hash = form_hash(form);
    form_decode(form, a, out);
    return true;
}

/* --- the table --- */

struct kept {
    char *key;
    uint64_t body_hash;
    int64_t expires_ms;
    char *form; /* NULL: under way */
    size_t form_len;
};

struct idempotency {
    pthread_mutex_t lock;
    struct map *map;
    size_t bytes, max_entries, max_bytes;
    struct kept **heap; /* the finished ones; the first expires first */
    size_t n, cap;
};

struct idempotency *idempotency_new(size_t max_entries, size_t max_bytes)
{
    struct idempotency *t = mem_zero(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->map = map_new();
    t->max_entries = max_entries;
    t->max_bytes = max_bytes;
    return t;
}

static size_t cost(const struct kept *k)
{
    /* The map holds a copy of the key. */
    return sizeof *k + 2 * strlen(k->key) + k->form_len + 64;
}

static void kept_free(struct kept *k)
{
    free(k->key);
    free(k->form);
    free(k);
}

void idempotency_free(struct idempotency *t)
{
    if (!t)
        return;
    size_t at = 0;
    void *k;
    while (map_next(t->map, &at, NULL, NULL, &k))
        kept_free(k);
    map_free(t->map);
    free(t->heap);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void heap_push(struct idempotency *t, struct kept *k)
{
    GROW(t->heap, t->n, t->cap);
    size_t i = t->n++;
    for (; i > 0 && t->heap[(i - 1) / 2]->expires_ms > k->expires_ms; i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = k;
}

static struct kept *heap_pop(struct idempotency *t)
{
    struct kept *first = t->heap[0], *last = t->heap[--t->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < t->n; i = child) {
        if (child + 1 < t->n && t->heap[child + 1]->expires_ms < t->heap[child]->expires_ms)
            child++;
        if (t->heap[child]->expires_ms >= last->expires_ms)
            break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = last;
    return first;
}

static void drop(struct idempotency *t, struct kept *k)
{
    map_remove(t->map, k->key, strlen(k->key));
    t->bytes -= cost(k);
    kept_free(k);
}

static void expire(struct idempotency *t, int64_t now_ms)
{
    while (t->n && t->heap[0]->expires_ms <= now_ms)
        drop(t, heap_pop(t));
}

static struct kept *add(struct idempotency *t, const char *key, uint64_t body_hash)
{
    struct kept *k = mem_alloc(sizeof *k);
    *k = (struct kept){.key = mem_text(key), .body_hash = body_hash};
    map_set(t->map, key, strlen(key), k);
    t->bytes += cost(k);
    return k;
}

static void keep(struct idempotency *t, struct kept *k, char *form, size_t len, int64_t expires_ms)
{
    t->bytes += len;
    k->form = form;
    k->form_len = len;
    k->expires_ms = expires_ms;
    heap_push(t, k);
}

static enum key_state begin(struct idempotency *t, const char *key, uint64_t body_hash,
                            struct arena *a, struct kept_answer *answer, struct err *e)
{
    const struct kept *k = map_get(t->map, key, strlen(key));
    if (k && k->body_hash != body_hash) {
        fail(e, &KEY_REUSED, "this Idempotency-Key came with another body before");
        return KEY_FAIL;
    }
    if (k && !k->form) {
        fail(e, &KEY_IN_USE, "the first request with this Idempotency-Key is not finished yet");
        return KEY_FAIL;
    }
    if (k) {
        form_decode(k->form, a, answer);
        return KEY_REPLAY;
    }
    if (map_count(t->map) >= t->max_entries || t->bytes >= t->max_bytes) {
        fail(e, &KEYS_FULL, "%zu answers are kept already", map_count(t->map));
        return KEY_FAIL;
    }
    add(t, key, body_hash);
    return KEY_NEW;
}

enum key_state idempotency_begin(struct idempotency *t, const char *key, uint64_t body_hash,
                                 int64_t now_ms, struct arena *a, struct kept_answer *answer,
                                 struct err *e)
{
    pthread_mutex_lock(&t->lock);
    expire(t, now_ms);
    enum key_state state = begin(t, key, body_hash, a, answer, e);
    pthread_mutex_unlock(&t->lock);
    return state;
}

void idempotency_finish(struct idempotency *t, const char *key, const struct kept_answer *answer,
                        int64_t expires_ms)
{
    struct bytes form = BYTES_INIT(SIZE_MAX);
    pthread_mutex_lock(&t->lock);
    struct kept *k = map_get(t->map, key, strlen(key));
    if (k && !k->form) {
        kept_answer_encode(answer, k->body_hash, &form);
        size_t len;
        char *data = bytes_take(&form, &len);
        keep(t, k, data, len, expires_ms);
    }
    pthread_mutex_unlock(&t->lock);
}

void idempotency_abandon(struct idempotency *t, const char *key)
{
    pthread_mutex_lock(&t->lock);
    struct kept *k = map_get(t->map, key, strlen(key));
    if (k && !k->form)
        drop(t, k);
    pthread_mutex_unlock(&t->lock);
}

void idempotency_usage(struct idempotency *t, size_t *entries, size_t *bytes)
{
    pthread_mutex_lock(&t->lock);
    *entries = map_count(t->map);
    *bytes = t->bytes;
    pthread_mutex_unlock(&t->lock);
}

bool idempotency_restore(struct idempotency *t, const char *key, const void *data, size_t len,
                         int64_t expires_ms, int64_t now_ms)
{
    if (expires_ms <= now_ms || !form_valid(data, len))
        return false;
    pthread_mutex_lock(&t->lock);
    if (!map_get(t->map, key, strlen(key)))
        keep(t, add(t, key, form_hash(data)), mem_copy(data, len), len, expires_ms);
    pthread_mutex_unlock(&t->lock);
    return true;
}
