/* A copy of what a running server has, as it was at one moment.
 *
 * The parts depend on each other: roll-ups in series.db say up to which position of the record log
 * they are complete, the log's older segments go when they are rolled up, and numbers of models in
 * both must be known to control.db. So, in this order:
 *
 * 1. All segments are opened: what a descriptor holds, a release cannot take away. Then the files
 *    that are replaced whole (newest records, counters): each says up to which position it is
 *    complete, and what follows is in segments that are open by now or will be.
 * 2. series.db is held fast by a read transaction.
 * 3. Newer segments are opened, and the end of the last is found: its whole blocks. Every record
 *    that a roll-up of step 2 lacks is in there.
 * 4. control.db is held fast. If series.db was written to since step 2, back to step 2.
 * 5. All is copied, and the mark `incomplete` goes.
 *
 * So both databases are of one moment, and the logs end in the moment between: some microseconds
 * earlier. A server started on the copy finds what one finds that was killed then. */
#include "moving/live_log.h"
#include "moving/moving.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGS 2

struct copying {
    struct live_log logs[LOGS];
};

static bool measure(void *ctx, bool *again, struct err *e)
{
    struct copying *c = ctx;
    for (size_t i = 0; i < LOGS; i++)
        if (!live_log_measure(&c->logs[i], again, e))
            return false;
    return true;
}

static bool open_logs(struct copying *c, struct err *e)
{
    for (size_t i = 0; i < LOGS; i++)
        if (!live_log_open(&c->logs[i], true, e) || !live_log_open(&c->logs[i], false, e))
            return false;
    return true;
}

static bool copy_all(struct copying *c, const char *dir, const char *to, struct err *e)
{
    if (!open_logs(c, e))
        return false;
    struct sqlite_snapshot *s = sqlite_snapshot_take(dir, measure, c, e);
    bool ok = s && sqlite_snapshot_copy(s, to, e);
    for (size_t i = 0; ok && i < LOGS; i++)
        ok = live_log_copy(&c->logs[i], to, e);
    sqlite_snapshot_close(s);
    return ok && live_log_copy_one(dir, to, "decision.keys", e);
}

static bool check_source(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    if (!data_dir_embedded(dir, e))
        return false;
    if (snprintf(path, sizeof path, "%s/control.db", dir) >= (int)sizeof path)
        return fail(e, &ERR_CONFIG, "the path of the directory is too long");
    return access(path, R_OK) == 0 || fail(e, &ERR_CONFIG, "there is no store in '%s'", dir);
}

bool store_backup(const char *dir, const char *to, struct err *e)
{
    struct copying c;
    if (!check_source(dir, e))
        return false;
    if (mkdir(to, 0700) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_CONFIG, "cannot make %s", to);
    int lock = data_dir_lock(to, e);
    if (lock < 0)
        return false;
    live_log_init(&c.logs[0], dir, "records");
    live_log_init(&c.logs[1], dir, "outcomes");
    bool begun = data_dir_begin(to, false, e), ok = begun && copy_all(&c, dir, to, e);
    struct err why;
    if (begun)
        ok = data_dir_end(to, ok, ok ? e : &why) && ok;
    for (size_t i = 0; i < LOGS; i++)
        live_log_release(&c.logs[i]);
    close(lock);
    return ok;
}
