#include "telemetry/keys_file.h"

#include "base/grow.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "telemetry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC    UINT64_C(0x0153594b44415000) /* "PADKEYS" and the version */
#define PART_MAX (16u << 20)

struct keys_head {
    uint64_t magic, position;
};

/* In front of each key part. */
struct part_head {
    uint32_t len, checksum;
};

void keys_keep(struct telemetry *t, char *part, uint32_t len, int64_t expires_ms)
{
    struct kept_keys *k = &t->keys;
    pthread_mutex_lock(&t->lock);
    GROW(k->list, k->n, k->cap);
    k->list[k->n++] = (struct kept_key){part, len, expires_ms};
    pthread_mutex_unlock(&t->lock);
}

void keys_restore(struct telemetry *t, const struct block_key *key, int64_t now_ms)
{
    uint32_t len;
    char *text = mem_copy(key->key, key->key_len);
    if (t->config.keys && idempotency_restore(t->config.keys, text, key->value, key->value_len,
                                              key->expires_ms, now_ms)) {
        char *part = block_key_encode(key, &len);
        keys_keep(t, part, len, key->expires_ms);
    }
    free(text);
}

/* Take the expired ones out and give the others: the entries stay as they are until the next round,
 * so they may be read without the lock. */
static struct kept_key *drop_expired(struct telemetry *t, size_t *n)
{
    struct kept_keys *k = &t->keys;
    int64_t now = clock_wall_ms(t->config.clock);
    pthread_mutex_lock(&t->lock);
    size_t left = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (k->list[i].expires_ms > now)
            k->list[left++] = k->list[i];
        else
            free(k->list[i].part);
    }
    *n = k->n = left;
    struct kept_key *copy = mem_alloc((left + 1) * sizeof *copy);
    if (left)
        memcpy(copy, k->list, left * sizeof *copy);
    pthread_mutex_unlock(&t->lock);
    return copy;
}

static bool write_keys(FILE *f, uint64_t position, const struct kept_key *keys, size_t n)
{
    struct keys_head head = {MAGIC, position};
    bool ok = fwrite(&head, sizeof head, 1, f) == 1;
    for (size_t i = 0; ok && i < n; i++) {
        struct part_head p = {keys[i].len, checksum32(keys[i].part, keys[i].len)};
        ok = fwrite(&p, sizeof p, 1, f) == 1 && fwrite(keys[i].part, p.len, 1, f) == 1;
    }
    return ok && fflush(f) == 0 && fsync(fileno(f)) == 0;
}

static bool replace_file(struct telemetry *t, uint64_t position, const struct kept_key *keys,
                         size_t n, struct err *e)
{
    const struct files *files = t->files;
    char path[SEGMENT_PATH_SIZE], temporary[SEGMENT_PATH_SIZE];
    snprintf(path, sizeof path, "%s/keys", t->dir);
    snprintf(temporary, sizeof temporary, "%s/keys.new", t->dir);
    FILE *f = fopen(temporary, "w");
    if (!f)
        return fail_errno(e, &ERR_IO, "cannot write '%s'", temporary);
    bool ok = write_keys(f, position, keys, n);
    ok = fclose(f) == 0 && ok && files->rename(files->self, temporary, path) == 0 &&
         files->sync_dir(files->self, t->dir) == 0;
    t->keys.file_exists = true;
    return ok || fail_errno(e, &ERR_IO, "cannot write '%s'", path);
}

bool keys_save(struct telemetry *t, struct err *e)
{
    size_t n;
    uint64_t position = atomic_load(&t->counted); /* its keys are in the list */
    struct kept_key *keys = drop_expired(t, &n);
    bool ok = (n == 0 && !t->keys.file_exists) || replace_file(t, position, keys, n, e);
    if (n == 0 && ok)
        t->keys.file_exists = false; /* there is an empty one; no need to write it again */
    free(keys);
    return ok;
}

static bool read_key(struct telemetry *t, FILE *f, int64_t now)
{
    struct part_head p;
    struct block_key key;
    if (fread(&p, sizeof p, 1, f) != 1 || p.len == 0 || p.len > PART_MAX)
        return false;
    char *part = mem_alloc(p.len);
    bool ok = fread(part, p.len, 1, f) == 1 && checksum32(part, p.len) == p.checksum &&
              block_key_decode(&key, part, p.len);
    if (ok)
        keys_restore(t, &key, now);
    free(part);
    return ok;
}

void keys_load(struct telemetry *t)
{
    char path[SEGMENT_PATH_SIZE];
    struct keys_head head = {0};
    int64_t now = clock_wall_ms(t->config.clock);
    snprintf(path, sizeof path, "%s/keys", t->dir);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    t->keys.file_exists = true;
    bool ok = fread(&head, sizeof head, 1, f) == 1 && head.magic == MAGIC;
    while (ok && read_key(t, f, now))
        ;
    if (ok && feof(f))
        t->keys.saved_position = head.position;
    else
        log_text(LOG_WARN, "keys_damaged", "some idempotency keys of inference batches are lost");
    fclose(f);
}

void keys_release(struct kept_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->list[i].part);
    free(k->list);
}
