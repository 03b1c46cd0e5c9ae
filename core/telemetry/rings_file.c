/* The rings live in memory. So that a restart has more than what the log still holds, they are
 * written to DIR/rings at close and every few minutes: a magic number, then for each model a head,
 * its samples and a checksum of both, then a head of uid 0. The file is replaced whole; a damaged
 * one is ignored from there on. */
#include "telemetry/internal.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x01474e4952444150) /* "PADRING" and the version */

struct ring_head {
    uint64_t uid, position, total;
    uint32_t n, checksum; /* of the head with checksum 0, then the samples */
};

static uint32_t checksum_of(struct ring_head h, const struct ring_sample *samples)
{
    h.checksum = 0;
    uint64_t parts[2] = {hash64(&h, sizeof h, 0), hash64(samples, h.n * sizeof *samples, 0)};
    return checksum32(parts, sizeof parts);
}

static bool write_ring(FILE *f, struct live *l, struct workshop *w)
{
    pthread_mutex_lock(&l->lock);
    struct ring_head h = {l->uid, l->position, live_total(l, w), l->ring.n, 0};
    struct ring_sample *samples = mem_alloc(h.n * sizeof *samples);
    ring_copy(&l->ring, samples);
    pthread_mutex_unlock(&l->lock);
    h.checksum = checksum_of(h, samples);
    bool ok = h.n == 0 ||
              (fwrite(&h, sizeof h, 1, f) == 1 && fwrite(samples, sizeof *samples, h.n, f) == h.n);
    free(samples);
    return ok;
}

static bool write_rings(struct telemetry *t, FILE *f)
{
    uint64_t magic = MAGIC;
    struct ring_head end = {0};
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    bool ok = fwrite(&magic, sizeof magic, 1, f) == 1;
    for (size_t i = 0; i < n; i++) {
        ok = ok && write_ring(f, lives[i], &t->round_workshop);
        live_release(lives[i], &t->rings);
    }
    free(lives);
    return ok && fwrite(&end, sizeof end, 1, f) == 1 && fflush(f) == 0 && fsync(fileno(f)) == 0;
}

bool rings_save(struct telemetry *t, struct err *e)
{
    const struct files *files = t->files;
    char path[SEGMENT_PATH_SIZE], temporary[SEGMENT_PATH_SIZE];
    snprintf(path, sizeof path, "%s/rings", t->dir);
    snprintf(temporary, sizeof temporary, "%s/rings.new", t->dir);
    FILE *f = fopen(temporary, "w");
    if (!f)
        return fail_errno(e, &ERR_IO, "cannot write '%s'", temporary);
    bool ok = write_rings(t, f);
    ok = fclose(f) == 0 && ok;
    ok = ok && files->rename(files->self, temporary, path) == 0 &&
         files->sync_dir(files->self, t->dir) == 0;
    return ok || fail_errno(e, &ERR_IO, "cannot write '%s'", path);
}

/* One model's ring; false at the end, or where the file is damaged. */
static bool read_ring(struct telemetry *t, FILE *f, bool *damaged)
{
    struct ring_head h;
    struct stat st;
    *damaged = true;
    if (fread(&h, sizeof h, 1, f) != 1 || fstat(fileno(f), &st) != 0 ||
        h.n > (size_t)st.st_size / sizeof(struct ring_sample))
        return false;
    if (h.uid == 0) {
        *damaged = false;
        return false;
    }
    struct ring_sample *samples = mem_alloc(h.n * sizeof *samples);
    bool ok =
        fread(samples, sizeof *samples, h.n, f) == h.n && checksum_of(h, samples) == h.checksum;
    struct live *l = ok ? models_peek(&t->models, h.uid) : NULL;
    if (!l && ok)
        l = models_get_or_add(&t->models, h.uid); /* its records may all be in the log */
    if (l) {
        for (uint32_t i = 0; i < h.n; i++)
            ring_push(&l->ring, samples[i].latency_ms, (int64_t)samples[i].second * 1000,
                      &t->rings);
        l->ring_position = h.position;
        l->ring_total = h.total;
    }
    free(samples);
    return ok;
}

void rings_load(struct telemetry *t)
{
    char path[SEGMENT_PATH_SIZE];
    uint64_t magic = 0;
    bool damaged = true;
    snprintf(path, sizeof path, "%s/rings", t->dir);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fread(&magic, sizeof magic, 1, f) == 1 && magic == MAGIC)
        while (read_ring(t, f, &damaged))
            ;
    fclose(f);
    if (damaged)
        log_text(LOG_WARN, "rings_damaged",
                 "the saved recent records are damaged; some are left out");
}
