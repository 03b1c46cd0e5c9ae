#include "store/sqlite.h"

#include "base/mem.h"

#include <stdlib.h>

/* The rest, for moving a whole store: row by row, never all of it in memory. */

struct telling {
    struct db *db;
    bool (*each)(void *ctx, const struct store_rest *r, struct err *e);
    void *ctx;
};

/* Columns: name, id, data, number, expires_ms. */
static bool tell(const struct telling *t, enum rest_kind kind, const char *sql, int64_t now,
                 struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(t->db->handle, sql, -1, &s, NULL) != SQLITE_OK)
        return db_fail(t->db, e);
    if (sqlite3_bind_parameter_count(s))
        bind_int(s, 1, now);
    int step = SQLITE_DONE;
    bool ok = true;
    while (ok && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(s, 2);
        const struct store_rest r = {kind,
                                     column_text(s, 0),
                                     column_text(s, 1),
                                     data ? data : "",
                                     (size_t)sqlite3_column_bytes(s, 2),
                                     sqlite3_column_int64(s, 3),
                                     sqlite3_column_int64(s, 4)};
        ok = t->each(t->ctx, &r, e);
    }
    if (ok && step != SQLITE_DONE)
        ok = db_fail(t->db, e);
    sqlite3_finalize(s);
    return ok;
}

/* From one key to the next, by the index, past all records of each. */
static bool tell_series(const struct telling *t, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(t->db->handle,
                           "SELECT key FROM record WHERE key>?1 ORDER BY key LIMIT 1", -1, &s,
                           NULL) != SQLITE_OK)
        return db_fail(t->db, e);
    char *key = mem_text("");
    int step = SQLITE_ROW;
    bool ok = true;
    while (ok && step == SQLITE_ROW) {
        bind_text(s, 1, key);
        step = sqlite3_step(s);
        char *next = step == SQLITE_ROW ? mem_text(column_text(s, 0)) : NULL;
        ok = step == SQLITE_ROW || step == SQLITE_DONE || db_fail(t->db, e);
        sqlite3_reset(s);
        free(key);
        key = next;
        if (ok && key)
            ok = t->each(t->ctx, &(const struct store_rest){.kind = REST_SERIES, .name = key}, e);
    }
    free(key);
    sqlite3_finalize(s);
    return ok;
}

bool sqlite_rest(struct store *store,
                 bool (*each)(void *ctx, const struct store_rest *r, struct err *e), void *ctx,
                 struct err *e)
{
    struct sqlite *s = sqlite_of(store);
    const struct telling control = {&s->direct, each, ctx}, series = {&s->direct_series, each, ctx};
    int64_t now = clock_wall_ms(s->clock);
    pthread_mutex_lock(&s->direct_lock);
    bool ok =
        tell(&control, REST_KEY,
             "SELECT key, NULL, value, number, expires_ms FROM expiring WHERE expires_ms>?1", now,
             e) &&
        tell(&control, REST_JOB, "SELECT queue, id, data, 0, 0 FROM job ORDER BY n", now, e) &&
        tell(&series, REST_MARK, "SELECT name, NULL, NULL, value, 0 FROM mark", now, e) &&
        tell_series(&series, e);
    pthread_mutex_unlock(&s->direct_lock);
    return ok;
}
