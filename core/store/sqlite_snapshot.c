/* Two databases at one moment, while their server writes to them.
 *
 * A read transaction sees what was committed before it, for as long as it lasts. One is begun on
 * each database, and a third connection tells whether series.db was written to meanwhile
 * (`data_version`). If not, both transactions see the state of the moment the second began in; if
 * so, both are begun anew. That takes microseconds, so it soon succeeds; the copying takes longer
 * and holds nobody up, but the write-ahead logs grow until it is over. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#define ATTEMPTS 2000
#define PAUSE_MS 2

struct sqlite_snapshot {
    struct db control, series, watch;
};

static bool begin(struct db *db, struct err *e)
{
    int64_t version;
    return db_exec(db, "BEGIN", e) &&
           db_number(db, "SELECT count(*) FROM sqlite_schema", &version, e);
}

static bool attempt(struct sqlite_snapshot *s,
                    bool (*between)(void *ctx, bool *again, struct err *e), void *ctx, bool *again,
                    struct err *e)
{
    int64_t before, after;
    *again = false;
    if (!db_number(&s->watch, "PRAGMA data_version", &before, e) || !begin(&s->series, e) ||
        !between(ctx, again, e) || !begin(&s->control, e) ||
        !db_number(&s->watch, "PRAGMA data_version", &after, e))
        return false;
    *again |= before != after;
    return true;
}

static bool take(struct sqlite_snapshot *s, bool (*between)(void *ctx, bool *again, struct err *e),
                 void *ctx, struct err *e)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        bool again;
        if (!attempt(s, between, ctx, &again, e))
            return false;
        if (!again)
            return true;
        if (!db_exec(&s->series, "COMMIT", e) || !db_exec(&s->control, "COMMIT", e))
            return false;
        nanosleep(&(const struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    }
    return fail(e, &ERR_BUSY, "the store was written to all the time; try again");
}

void sqlite_snapshot_close(struct sqlite_snapshot *s)
{
    if (!s)
        return;
    db_close(&s->control);
    db_close(&s->series);
    db_close(&s->watch);
    free(s);
}

struct sqlite_snapshot *sqlite_snapshot_take(const char *dir,
                                             bool (*between)(void *ctx, bool *again, struct err *e),
                                             void *ctx, struct err *e)
{
    enum file_state state;
    bool unsure;
    if (!file_check(dir, &CONTROL_SCHEMA, &state, &unsure, e) ||
        !file_check(dir, &SERIES_SCHEMA, &state, &unsure, e))
        return NULL;
    struct sqlite_snapshot *s = mem_zero(1, sizeof *s);
    if (db_open(&s->control, dir, CONTROL_SCHEMA.file, DB_READ, e) &&
        db_open(&s->series, dir, SERIES_SCHEMA.file, DB_READ, e) &&
        db_open(&s->watch, dir, SERIES_SCHEMA.file, DB_READ, e) && take(s, between, ctx, e))
        return s;
    sqlite_snapshot_close(s);
    return NULL;
}

static bool copy(const struct db *from, const char *dir, struct err *e)
{
    char path[PATH_MAX];
    sqlite3 *to = NULL;
    if (snprintf(path, sizeof path, "%s/%s", dir, from->file) >= (int)sizeof path)
        return fail(e, &ERR_CONFIG, "the path of the directory is too long");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path, &to, flags, NULL) == SQLITE_OK;
    sqlite3_backup *backup = ok ? sqlite3_backup_init(to, "main", from->handle, "main") : NULL;
    ok = backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
    ok = sqlite3_backup_finish(backup) == SQLITE_OK && ok;
    if (!ok)
        fail(e, &ERR_IO, "cannot copy %s to %s: %s", from->file, path,
             to ? sqlite3_errmsg(to) : "no memory");
    return sqlite3_close(to) == SQLITE_OK && ok;
}

bool sqlite_snapshot_copy(const struct sqlite_snapshot *s, const char *to, struct err *e)
{
    return copy(&s->series, to, e) && copy(&s->control, to, e);
}
