/* What was told, once more. Two things make a delta that the store has lost come back as the same
 * entry, so that who had taken it knows it by its number, and nobody counts it twice:
 *
 * Entries that were confirmed are held for as long as there is room, as they were sent. If the
 * stream reaches less than they did (a master that could not know that it was deposed has confirmed
 * them; an older copy was put there), they are sent again from there on.
 *
 * An entry that is not confirmed yet is sent until it is. If the node dies meanwhile, the next
 * start makes the same one of the log: where it ends stands in DIR/told before it is sent the first
 * time. It begins where the one before ended, which is confirmed, and the stream tells. */
#include "telemetry/fleet.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct told {
    struct told *next;
    uint64_t from, until;
    size_t n, bytes;
    const void **parts;
    size_t *lens;
    char data[];
};

/* --- held --- */

static void drop_oldest(struct fleet *f)
{
    struct told *t = f->told;
    f->told = t->next;
    f->told_bytes -= t->bytes;
    free(t->parts);
    free(t->lens);
    free(t);
}

void fleet_told_drop(struct fleet *f)
{
    while (f->told)
        drop_oldest(f);
    f->told_last = NULL;
}

void fleet_told_keep(struct fleet *f, const struct delta_ship *d)
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < d->n; i++)
        bytes += d->lens[i];
    if (bytes > f->told_max || (f->told_last && f->told_last->until != d->from))
        fleet_told_drop(f);
    if (bytes > f->told_max)
        return;
    struct told *t = mem_alloc(sizeof *t + bytes);
    *t = (struct told){.from = d->from, .until = d->until, .n = d->n, .bytes = bytes};
    t->parts = mem_alloc(d->n * sizeof *t->parts);
    t->lens = mem_alloc(d->n * sizeof *t->lens);
    for (size_t i = 0; i < d->n; at += d->lens[i++]) {
        t->parts[i] = memcpy(t->data + at, d->parts[i], d->lens[i]);
        t->lens[i] = d->lens[i];
    }
    *(f->told_last ? &f->told_last->next : &f->told) = t;
    f->told_last = t;
    f->told_bytes += bytes;
    while (f->told != t && f->told_bytes > f->told_max)
        drop_oldest(f);
}

bool fleet_told_again(struct fleet *f, uint64_t *reaches, struct err *e)
{
    const uint64_t from = *reaches;
    const struct told *t = f->told;
    while (t && t->from != from)
        t = t->next;
    for (; t; t = t->next) {
        struct delta_ship d = {
            .from = t->from, .until = t->until, .parts = t->parts, .lens = t->lens, .n = t->n};
        if (!fleet_ask(f, &d, e))
            return false;
        if (d.reaches != t->until)
            return fail(e, &ERR_IO, "the stream of this node has lost some of its figures again");
        *reaches = t->until;
    }
    if (*reaches != from)
        log_event(LOG_WARN, "deltas_told_again",
                  "\"place\":%zu,\"from\":%" PRIu64 ",\"to\":%" PRIu64, f->place, from, *reaches);
    return true;
}

/* --- where the one under way ends --- */

bool fleet_note_open(struct fleet *f, struct err *e)
{
    const struct telemetry *t = f->telemetry;
    char path[4096];
    if (f->note >= 0)
        return true;
    snprintf(path, sizeof path, "%s/told", t->dir);
    f->note = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->note < 0)
        return fail_errno(e, &ERR_IO, "cannot open '%s'", path);
    const ssize_t n = pread(f->note, &f->noted, sizeof f->noted, 0);
    if (n < 0)
        return fail_errno(e, &ERR_IO, "cannot read '%s'", path);
    if (n != sizeof f->noted)
        f->noted = 0; /* new */
    if (t->files->sync_dir(t->files->self, t->dir) != 0)
        return fail_errno(e, &ERR_IO, "cannot sync '%s'", t->dir);
    return true;
}

bool fleet_note(struct fleet *f, struct err *e)
{
    if (f->noted == f->until)
        return true;
    const ssize_t n = pwrite(f->note, &f->until, sizeof f->until, 0);
    if (n >= 0 && n != sizeof f->until)
        errno = ENOSPC;
    if (n != sizeof f->until || fdatasync(f->note) != 0)
        return fail_errno(e, &ERR_IO, "cannot note what is told to other nodes");
    f->noted = f->until;
    return true;
}
