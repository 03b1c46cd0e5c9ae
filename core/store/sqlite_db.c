#include "store/sqlite.h"

#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_MS 5000

/* Caches are small on purpose: the pages are in the kernel's cache already. */
static const char *const PRAGMAS[] = {
    [DB_CREATE] = "PRAGMA page_size=4096; PRAGMA synchronous=FULL;"
                  "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864;"
                  "PRAGMA cache_size=-4096; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
                  "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;",
    [DB_WRITE] = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                 "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-256; PRAGMA mmap_size=0;",
    [DB_READ] = "PRAGMA query_only=ON; PRAGMA cache_size=-512; PRAGMA mmap_size=0;"
                "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0; PRAGMA cell_size_check=ON;",
};

bool db_fail(const struct db *db, struct err *e)
{
    int code = sqlite3_extended_errcode(db->handle);
    const struct err_kind *kind = &ERR_IO;
    if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        kind = &ERR_CORRUPT;
    return fail(e, kind, "%s: %s (SQLite error %d)", db->file, sqlite3_errmsg(db->handle), code);
}

bool db_disk_failed(const struct db *db)
{
    switch (sqlite3_errcode(db->handle) & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return true;
    default: return false;
    }
}

bool db_exec(struct db *db, const char *sql, struct err *e)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK || db_fail(db, e);
}

bool db_open(struct db *db, const char *dir, const char *file, enum db_use use, struct err *e)
{
    char path[PATH_MAX];
    *db = (struct db){.file = file};
    if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
        return fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (use == DB_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (code != SQLITE_OK)
        return fail(e, &ERR_IO, "cannot open %s: %s", path,
                    db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    /* Until all is checked, closing must not touch the file. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, use == DB_CREATE, NULL);
    return db_exec(db, PRAGMAS[use], e);
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    *db = (struct db){0};
}

bool db_number(struct db *db, const char *sql, int64_t *n, struct err *e)
{
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *n = sqlite3_column_int64(s, 0);
    else
        db_fail(db, e);
    sqlite3_finalize(s);
    return ok;
}

bool db_prepare(struct db *db, int first, const char *const *sql, size_t n, struct err *e)
{
    sqlite3_stmt **to = db->statements + first;
    for (size_t i = 0; i < n; i++)
        if (sqlite3_prepare_v3(db->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &to[i], NULL) !=
            SQLITE_OK)
            return db_fail(db, e);
    return true;
}

sqlite3_stmt *db_statement(struct db *db, int i)
{
    sqlite3_stmt *s = db->statements[i];
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return s;
}

bool db_run(struct db *db, sqlite3_stmt *s, struct err *e)
{
    int code = sqlite3_step(s);
    bool ok = code == SQLITE_DONE || code == SQLITE_ROW || db_fail(db, e);
    sqlite3_reset(s);
    return ok;
}

int db_row(struct db *db, sqlite3_stmt *s, struct err *e)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return 1;
    int result = code == SQLITE_DONE ? 0 : -1;
    if (result < 0)
        db_fail(db, e);
    sqlite3_reset(s);
    return result;
}

void bind_text(sqlite3_stmt *s, int i, const char *text)
{
    sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

void bind_blob(sqlite3_stmt *s, int i, const void *data, size_t len)
{
    sqlite3_bind_blob64(s, i, data ? data : "", len, SQLITE_STATIC);
}

void bind_int(sqlite3_stmt *s, int i, int64_t n)
{
    sqlite3_bind_int64(s, i, n);
}

const char *column_text(sqlite3_stmt *s, int i)
{
    return (const char *)sqlite3_column_text(s, i);
}

void bind_prefix(sqlite3_stmt *s, int i, const char *prefix, size_t len)
{
    sqlite3_bind_text64(s, i, prefix, len, SQLITE_TRANSIENT, SQLITE_UTF8);
    char *end = mem_copy(prefix, len);
    size_t last = len;
    while (last && (unsigned char)end[last - 1] == 0xff)
        last--;
    if (last) {
        end[last - 1]++;
        sqlite3_bind_text64(s, i + 1, end, last, SQLITE_TRANSIENT, SQLITE_UTF8);
    } else {
        sqlite3_bind_zeroblob(s, i + 1, 0); /* every blob is greater than every text */
    }
    free(end);
}
