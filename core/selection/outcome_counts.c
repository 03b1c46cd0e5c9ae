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

/* ---- as bytes ---- */

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

bool outcome_counts_encode(struct outcome_counts *c, uint64_t position, int64_t oldest_ms,
                           struct bytes *out)
{
    struct file_head head = {.magic = MAGIC, .position = position};
    const size_t at = out->len, after = at + sizeof head;
    bytes_add(out, &head, sizeof head);
    collect(c, oldest_ms, out);
    if (out->full)
        return false;
    head.count = (out->len - after) / sizeof(struct row);
    head.checksum = checksum32(out->data + after, out->len - after);
    memcpy(out->data + at, &head, sizeof head);
    return true;
}

static void add_row(struct row *sum, const struct row *r)
{
    sum->count += r->count;
    sum->sum += r->sum;
    sum->sum_squares += r->sum_squares;
    sum->weight += r->weight;
    sum->weighted_sum += r->weighted_sum;
    sum->first_ms = r->first_ms < sum->first_ms ? r->first_ms : sum->first_ms;
    sum->last_ms = r->last_ms > sum->last_ms ? r->last_ms : sum->last_ms;
}

static bool take_row(struct outcome_counts *c, const char *bytes, bool add)
{
    struct row r;
    memcpy(&r, bytes, sizeof r);
    r.name[sizeof r.name - 1] = '\0';
    const size_t before = map_count(c->map);
    struct row *sum = row_for(c, &r);
    if (sum && add && map_count(c->map) == before)
        add_row(sum, &r);
    return sum != NULL;
}

bool outcome_counts_decode(struct outcome_counts *c, const void *data, size_t len, bool add,
                           uint64_t *position)
{
    struct file_head head;
    if (len < sizeof head)
        return false;
    memcpy(&head, data, sizeof head);
    const char *rows = (const char *)data + sizeof head;
    len -= sizeof head;
    if (head.magic != MAGIC || head.count > OUTCOME_COUNTS_MAX ||
        len != head.count * sizeof(struct row) || checksum32(rows, len) != head.checksum)
        return false;
    if (!add) {
        outcome_counts_release(c);
        outcome_counts_init(c);
    }
    *position = head.position;
    bool ok = true;
    for (size_t i = 0; i < head.count; i++)
        ok = take_row(c, rows + i * sizeof(struct row), add) && ok;
    return ok || add; /* what there is no room for is left out */
}

/* ---- the file ---- */

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
    struct bytes all = BYTES_INIT(FILE_MAX);
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool ok = outcome_counts_encode(c, position, oldest_ms, &all) && fd >= 0 &&
              write_all(fd, all.data, all.len) && fdatasync(fd) == 0;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(beside, path) == 0;
    bytes_release(&all);
    return ok || fail_errno(e, &ERR_IO, "cannot write the counters of outcomes '%s'", path);
}

static bool read_all(FILE *f, struct bytes *out)
{
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        bytes_add(out, part, n);
    return !ferror(f) && !out->full;
}

bool outcome_counts_load(struct outcome_counts *c, const char *path, uint64_t *position,
                         struct err *e)
{
    struct bytes all = BYTES_INIT(FILE_MAX);
    *position = 0;
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ||
               fail_errno(e, &ERR_IO, "cannot read the counters of outcomes '%s'", path);
    bool ok = read_all(f, &all) && outcome_counts_decode(c, all.data, all.len, false, position);
    fclose(f);
    bytes_release(&all);
    if (!ok)
        *position = 0;
    return ok || fail(e, &ERR_CORRUPT, "the counters of outcomes '%s' are damaged", path);
}
