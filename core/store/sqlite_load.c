#include "store/sqlite.h"

#include <string.h>

/* What blocks its caller: at start, or rarely. One connection, one lock. */

static bool load_rows(struct db *db,
                      bool (*row)(void *ctx, const struct store_row *r, struct err *e), void *ctx,
                      struct err *e)
{
    static const char SQL[] =
        "SELECT kind, ns, id, uid, revision, value FROM entity ORDER BY kind, ns, id";
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->handle, SQL, -1, &s, NULL) != SQLITE_OK)
        return db_fail(db, e);
    int step;
    bool ok = true;
    while (ok && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct store_row r = {
            .kind = column_text(s, 0),
            .ns = column_text(s, 1),
            .id = column_text(s, 2),
            .uid = (uint64_t)sqlite3_column_int64(s, 3),
            .revision = sqlite3_column_int64(s, 4),
            .value = column_text(s, 5),
            .value_len = (size_t)sqlite3_column_bytes(s, 5),
        };
        ok = row(ctx, &r, e);
    }
    if (ok && step != SQLITE_DONE)
        ok = db_fail(db, e);
    sqlite3_finalize(s);
    return ok;
}

static bool load_head(struct db *db, struct store_head *head, struct err *e)
{
    int64_t seq, next_uid;
    if (!db_number(db, "SELECT coalesce(max(seq), 0) FROM journal", &seq, e) ||
        !db_number(db, "SELECT coalesce(max(value), 1) FROM meta WHERE name='next_uid'", &next_uid,
                   e))
        return false;
    *head = (struct store_head){.seq = (uint64_t)seq, .next_uid = (uint64_t)next_uid, .epoch = 1};
    return true;
}

bool sqlite_load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e)
{
    struct sqlite *q = sqlite_of(s);
    pthread_mutex_lock(&q->direct_lock);
    bool ok = db_exec(&q->direct, "BEGIN", e);
    if (ok) {
        ok = load_head(&q->direct, head, e) && load_rows(&q->direct, row, ctx, e);
        sqlite3_exec(q->direct.handle, "COMMIT", NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&q->direct_lock);
    return ok;
}

bool sqlite_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e)
{
    static const char SQL[] =
        "SELECT hash FROM journal INDEXED BY journal_ns WHERE ns=?1 ORDER BY seq DESC LIMIT 1";
    struct sqlite *q = sqlite_of(s);
    sqlite3_stmt *stmt = NULL;
    memcpy(hash, JOURNAL_FIRST_HASH, SHA256_HEX_SIZE);
    pthread_mutex_lock(&q->direct_lock);
    int code = sqlite3_prepare_v2(q->direct.handle, SQL, -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        bind_text(stmt, 1, ns);
        code = sqlite3_step(stmt);
    }
    if (code == SQLITE_ROW)
        snprintf(hash, SHA256_HEX_SIZE, "%s", column_text(stmt, 0));
    bool ok = code == SQLITE_ROW || code == SQLITE_DONE || db_fail(&q->direct, e);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&q->direct_lock);
    return ok;
}

bool sqlite_keys(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e)
{
    static const char SQL[] = "SELECT key, value, expires_ms FROM expiring"
                              " WHERE key>=?1 AND key<?2 AND expires_ms>?3 ORDER BY key";
    struct sqlite *q = sqlite_of(s);
    sqlite3_stmt *stmt = NULL;
    pthread_mutex_lock(&q->direct_lock);
    int code = sqlite3_prepare_v2(q->direct.handle, SQL, -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        bind_prefix(stmt, 1, prefix, strlen(prefix));
        bind_int(stmt, 3, clock_wall_ms(q->clock));
        code = SQLITE_ROW;
    }
    while (code == SQLITE_ROW && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const void *value = sqlite3_column_blob(stmt, 1);
        struct store_key k = {column_text(stmt, 0), value ? value : "",
                              (size_t)sqlite3_column_bytes(stmt, 1), sqlite3_column_int64(stmt, 2)};
        if (!each(ctx, &k))
            code = SQLITE_DONE;
    }
    bool ok = code == SQLITE_DONE || db_fail(&q->direct, e);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&q->direct_lock);
    return ok;
}

bool sqlite_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e)
{
    struct sqlite *q = sqlite_of(s);
    sqlite3_stmt *stmt = NULL;
    pthread_mutex_lock(&q->direct_lock);
    int code = sqlite3_prepare_v2(q->direct_series.handle, "SELECT value FROM mark WHERE name=?1",
                                  -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        bind_text(stmt, 1, name);
        code = sqlite3_step(stmt);
    }
    *found = code == SQLITE_ROW;
    if (*found)
        *value = sqlite3_column_int64(stmt, 0);
    bool ok = *found || code == SQLITE_DONE || db_fail(&q->direct_series, e);
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&q->direct_lock);
    return ok;
}
