#include "store/sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Migrations are only ever added at the end: a released one is never changed. */

static const char *const CONTROL_MIGRATIONS[] = {
    /* 1 */
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE entity(kind TEXT NOT NULL, ns TEXT NOT NULL, id TEXT NOT NULL, uid INTEGER NOT "
    "NULL,"
    " revision INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(kind, ns, id)) WITHOUT ROWID;"
    /* What is searched comes before the text, which may lie on further pages. */
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, ns TEXT NOT NULL,"
    " action TEXT NOT NULL, entity TEXT NOT NULL, entity_id TEXT NOT NULL, name TEXT,"
    " actor_id TEXT NOT NULL, request_id TEXT, to_status TEXT, hash TEXT NOT NULL, text TEXT NOT "
    "NULL);"
    /* seq ends every index by itself. */
    "CREATE INDEX journal_entity ON journal(entity_id, ns);"
    "CREATE INDEX journal_name ON journal(name, ns) WHERE name IS NOT NULL;"
    "CREATE INDEX journal_actor ON journal(actor_id);"
    "CREATE INDEX journal_ns ON journal(ns);"
    "CREATE INDEX journal_at ON journal(at);"
    "CREATE TABLE expiring(key TEXT PRIMARY KEY, value BLOB NOT NULL, number INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX expiring_at ON expiring(expires_ms);"
    "CREATE TABLE lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL,"
    " until INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE job(n INTEGER PRIMARY KEY, queue TEXT NOT NULL, id TEXT NOT NULL, data BLOB NOT "
    "NULL,"
    " worker TEXT, claimed_until INTEGER NOT NULL, attempts INTEGER NOT NULL, UNIQUE(queue, id));"
    "CREATE INDEX job_order ON job(queue);"
    "CREATE TABLE queue_size(queue TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;",
};

static const char *const SERIES_MIGRATIONS[] = {
    /* 1 */
    "CREATE TABLE record(key TEXT NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, data BLOB NOT "
    "NULL,"
    " PRIMARY KEY(key, at, id)) WITHOUT ROWID;"
    "CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
};

const struct schema CONTROL_SCHEMA = {
    .file = "control.db",
    .application_id = 0x5044434b, /* "PDCK" */
    .migrations = CONTROL_MIGRATIONS,
    .version = sizeof CONTROL_MIGRATIONS / sizeof *CONTROL_MIGRATIONS,
};
const struct schema SERIES_SCHEMA = {
    .file = "series.db",
    .application_id = 0x50444353, /* "PDCS" */
    .migrations = SERIES_MIGRATIONS,
    .version = sizeof SERIES_MIGRATIONS / sizeof *SERIES_MIGRATIONS,
};

static bool check_identity(struct db *db, const struct schema *schema, int64_t *version,
                           struct err *e)
{
    int64_t id, tables;
    if (!db_number(db, "PRAGMA application_id", &id, e) ||
        !db_number(db, "PRAGMA user_version", version, e) ||
        !db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return false;
    bool fresh = id == 0 && *version == 0 && tables == 0;
    if (!fresh && (uint32_t)id != schema->application_id)
        return fail(e, &ERR_CONFIG, "%s is a database of another program; nothing was changed",
                    schema->file);
    if (*version < 0 || *version > schema->version)
        return fail(e, &ERR_CONFIG,
                    "%s was made by a newer version of Paddock (schema %" PRId64
                    ", this program knows %d); "
                    "nothing was changed",
                    schema->file, *version, schema->version);
    return true;
}

/* One step with its number, all or nothing. */
static bool migrate(struct db *db, const struct schema *schema, int64_t from, struct err *e)
{
    char number[128];
    snprintf(number, sizeof number,
             "PRAGMA application_id=%" PRIu32 "; PRAGMA user_version=%" PRId64 "; COMMIT",
             schema->application_id, from + 1);
    if (db_exec(db, "BEGIN IMMEDIATE", e) && db_exec(db, schema->migrations[from], e) &&
        db_exec(db, number, e))
        return true;
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* The thorough look that a file gets whose length alone does not clear it. */
static bool check_whole(struct db *db, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK)
        return db_fail(db, e);
    bool ok = sqlite3_step(s) == SQLITE_ROW && strcmp(column_text(s, 0), "ok") == 0;
    sqlite3_finalize(s);
    return ok ||
           fail(e, &ERR_CORRUPT,
                "%s is cut short and its log does not mend it; nothing was changed", db->file);
}

/* The answer of the pragma is the mode that is now in force. */
static bool use_log(struct db *db, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode=WAL", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        db_fail(db, e);
        sqlite3_finalize(s);
        return false;
    }
    bool ok = strcmp(column_text(s, 0), "wal") == 0;
    sqlite3_finalize(s);
    return ok || fail(e, &ERR_IO, "%s: this file system allows no write-ahead log", db->file);
}

bool schema_migrate(struct db *db, const struct schema *schema, bool unsure, struct err *e)
{
    int64_t version;
    if (!check_identity(db, schema, &version, e) || (unsure && !check_whole(db, e)) ||
        !use_log(db, e))
        return false;
    while (version < schema->version)
        if (!migrate(db, schema, version++, e))
            return false;
    return true;
}
