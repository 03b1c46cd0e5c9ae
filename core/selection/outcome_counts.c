#include "selection/outcome_counts.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    UINT64_C(0x31746e756f636f70) /* "pocount1" */
#define FILE_MAX ((size_t)64 << 20)

struct file_head {
    uint64_t magic, position, count;
    uint32_t checksum, spare; /* of all rows */
};

/* A counter as it stands in memory and in the file: without pointers. */
struct row {
    uint64_t route_uid, model_uid;
    uint32_t arm, shadow;
    uint64_t count;
    double sum, sum_squares, weight, weighted_sum;
    int64_t first_ms, last_ms;
    char name[OUTCOME_NAME_MAX + 8];
};

struct key {
    uint64_t route_uid, model_uid;
    uint32_t arm, shadow;
    char name[OUTCOME_NAME_MAX + 8];
};

void outcome_counts_init(struct outcome_counts *c)
{
    c->map = map_new();
    c->left_out = 0;
}

void outcome_counts_release(struct outcome_counts *c)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(c->map, &at, &key, &len, &value))
        free(value);
    map_free(c->map);
    c->map = NULL;
}

static void key_of(const struct row *r, struct key *k)
{
    memset(k, 0, sizeof *k);
    k->route_uid = r->route_uid;
    k->model_uid = r->model_uid;
    k->arm = r->arm;
    k->shadow = r->shadow;
    memcpy(k->name, r->name, sizeof k->name);
}

static struct row *row_for(struct outcome_counts *c, const struct row *want)
{
    struct key k;
    key_of(want, &k);
    struct row *r = map_get(c->map, &k, sizeof k);
    if (r || map_count(c->map) >= OUTCOME_COUNTS_MAX)
        return r;
    r = mem_alloc(sizeof *r);
    *r = *want;
    map_set(c->map, &k, sizeof k, r);
    return r;
}

void outcome_counts_add(struct outcome_counts *c, const struct outcome *o, int64_t now_ms)
{
    struct row want = {.route_uid = o->decision.route_uid,
                       .model_uid = o->model_uid,
                       .arm = o->decision.arm,
                       .shadow = o->shadow,
                       .first_ms = now_ms};
    snprintf(want.name, sizeof want.name, "%s", o->name);
    struct row *r = row_for(c, &want);
    if (!r) {
        c->left_out++;
        return;
    }
    double p = o->decision.propensity, weight = p > 0 ? 1 / p : 0;
    r->count++;
    r->sum += o->value;
    r->sum_squares += o->value * o->value;
    r->weight += weight;
    r->weighted_sum += weight * o->value;
    r->last_ms = now_ms;
}

void outcome_counts_each(const struct outcome_counts *c, uint64_t route_uid,
                         void (*fn)(void *ctx, const struct outcome_count *count), void *ctx)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(c->map, &at, &key, &len, &value)) {
        const struct row *r = value;
        const struct outcome_count count = {.route_uid = r->route_uid,
                                            .model_uid = r->model_uid,
                                            .arm = r->arm,
                                            .shadow = r->shadow != 0,
                                            .name = r->name,
                                            .count = r->count,
                                            .sum = r->sum,
                                            .sum_squares = r->sum_squares,
                                            .weight = r->weight,
                                            .weighted_sum = r->weighted_sum,
                                            .first_ms = r->first_ms,
                                            .last_ms = r->last_ms};
        if (route_uid == 0 || r->route_uid == route_uid)
            fn(ctx, &count);
    }
}

/* ---- the file ---- */

static void collect(struct outcome_counts *c, int64_t oldest_ms, struct bytes *out)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    struct map *kept = map_new();
    while (map_next(c->map, &at, &key, &len, &value)) {
        const struct row *r = value;
        if (r->last_ms >= oldest_ms) {
            bytes_add(out, r, sizeof *r);
            map_set(kept, key, len, value);
        } else {
            free(value);
        }
    }
    map_free(c->map);
    c->map = kept;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool outcome_counts_save(struct outcome_counts *c, const char *path, uint64_t position,
                         int64_t oldest_ms, struct err *e)
{
    char beside[4200];
    struct bytes rows = BYTES_INIT(FILE_MAX);
    collect(c, oldest_ms, &rows);
    const struct file_head head = {.magic = MAGIC,
                                   .position = position,
                                   .count = rows.len / sizeof(struct row),
                                   .checksum = checksum32(rows.data ? rows.data : "", rows.len)};
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool ok = !rows.full && fd >= 0 && write_all(fd, &head, sizeof head) &&
              write_all(fd, rows.data, rows.len) && fdatasync(fd) == 0;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(beside, path) == 0;
    bytes_release(&rows);
    return ok || fail_errno(e, &ERR_IO, "cannot write the counters of outcomes '%s'", path);
}

static bool read_rows(struct outcome_counts *c, FILE *f, const struct file_head *head)
{
    size_t size = head->count * sizeof(struct row);
    if (head->magic != MAGIC || head->count > OUTCOME_COUNTS_MAX || size > FILE_MAX)
        return false;
    struct row *rows = mem_alloc(size + 1);
    bool ok = fread(rows, sizeof *rows, head->count, f) == head->count &&
              checksum32(rows, size) == head->checksum;
    for (size_t i = 0; ok && i < head->count; i++) {
        rows[i].name[sizeof rows[i].name - 1] = '\0';
        ok = row_for(c, &rows[i]) != NULL;
    }
    free(rows);
    return ok;
}

bool outcome_counts_load(struct outcome_counts *c, const char *path, uint64_t *position,
                         struct err *e)
{
    struct file_head head = {0};
    *position = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ||
               fail_errno(e, &ERR_IO, "cannot read the counters of outcomes '%s'", path);
    bool ok = fread(&head, sizeof head, 1, f) == 1 && read_rows(c, f, &head);
    fclose(f);
    *position = ok ? head.position : 0;
    return ok || fail(e, &ERR_CORRUPT, "the counters of outcomes '%s' are damaged", path);
}
