#include "store/sqlite.h"

#include <string.h>

enum { PUT = SERIES_FIRST, TRIM, FIRST_KEY, NEXT_KEY, PUT_MARK };
static const char *const SQL[] = {
    [PUT - SERIES_FIRST] = ("INSERT INTO record(key, at, id, data) VALUES(?1, ?2, ?3, ?4)"
                            " ON CONFLICT(key, at, id) DO UPDATE SET data=?4"),
    [TRIM - SERIES_FIRST] = "DELETE FROM record WHERE key=?1 AND at<?2",
    [FIRST_KEY - SERIES_FIRST] =
        "SELECT key FROM record WHERE key>=?1 AND key<?2 ORDER BY key LIMIT 1",
    [NEXT_KEY - SERIES_FIRST] =
        "SELECT key FROM record WHERE key>?3 AND key<?2 ORDER BY key LIMIT 1",
    [PUT_MARK - SERIES_FIRST] =
        "INSERT INTO mark(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value=?2",
};

#define KEY_MAX 1024

/* Length of a prefix that ends in '*', or SIZE_MAX for an exact key. */
static size_t prefix_len(const char *key)
{
    size_t len = strlen(key);
    return len && key[len - 1] == '*' ? len - 1 : SIZE_MAX;
}

static bool trim_key(struct db *db, const char *key, int64_t before, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, TRIM);
    bind_text(s, 1, key);
    bind_int(s, 2, before);
    return db_run(db, s, e);
}

/* The first key under the prefix, or with `after` the one that follows it, into `key`. 1: there is
 * one. */
static int key_under(struct db *db, const struct series_trim *t, size_t len, const char *after,
                     char key[KEY_MAX], struct err *e)
{
    sqlite3_stmt *s = db_statement(db, after ? NEXT_KEY : FIRST_KEY);
    bind_prefix(s, 1, t->key, len);
    if (after)
        bind_text(s, 3, after);
    int row = db_row(db, s, e);
    if (row > 0)
        snprintf(key, KEY_MAX, "%s", column_text(s, 0));
    sqlite3_reset(s);
    return row;
}

/* From key to key: walking over all records of the prefix would read those that stay as well. */
static bool trim(struct db *db, const struct series_trim *t, struct err *e)
{
    char key[KEY_MAX];
    size_t len = prefix_len(t->key);
    if (len == SIZE_MAX)
        return trim_key(db, t->key, t->before, e);
    int row = key_under(db, t, len, NULL, key, e);
    while (row > 0) {
        if (!trim_key(db, key, t->before, e))
            return false;
        row = key_under(db, t, len, key, key, e);
    }
    return row == 0;
}

static bool put(struct db *db, const struct series_record *r, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, PUT);
    bind_text(s, 1, r->key);
    bind_int(s, 2, r->at);
    bind_text(s, 3, r->id);
    bind_blob(s, 4, r->data, r->len);
    return db_run(db, s, e);
}

static bool put_mark(struct db *db, const struct series_mark *m, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, PUT_MARK);
    bind_text(s, 1, m->name);
    bind_int(s, 2, m->value);
    return db_run(db, s, e);
}

static bool keys_fit(const struct series_append *a, struct err *e)
{
    for (size_t i = 0; i < a->n; i++)
        if (strlen(a->records[i].key) >= KEY_MAX)
            return fail(e, &ERR_INVALID, "a series key is longer than %d bytes", KEY_MAX - 1);
    return true;
}

enum outcome series_run(struct writer *w, struct job *j, struct err *e)
{
    const struct series_append *a = j->append;
    if (!keys_fit(a, e))
        return OUTCOME_REFUSED;
    bool ok = true;
    for (size_t i = 0; ok && i < a->n; i++)
        ok = put(&w->db, &a->records[i], e);
    for (size_t i = 0; ok && i < a->n_trims; i++)
        ok = trim(&w->db, &a->trims[i], e);
    for (size_t i = 0; ok && i < a->n_marks; i++)
        ok = put_mark(&w->db, &a->marks[i], e);
    return ok ? OUTCOME_DONE : OUTCOME_BROKEN;
}

static void nothing(struct writer *w)
{
    (void)w;
}

bool series_open(struct sqlite *s, struct err *e)
{
    s->series.run = series_run;
    s->series.begin = nothing;
    s->series.commit = nothing;
    return db_prepare(&s->series.db, SERIES_FIRST, SQL, sizeof SQL / sizeof *SQL, e);
}

/* --- reading --- */

enum { READ_ONE, READ_ONE_BACK, READ_PREFIX, READ_PREFIX_BACK };
#define READ_PAGE  "SELECT key, at, id, data FROM record WHERE "
#define READ_TIMES " AND at>=?3 AND at<?4 ORDER BY "
static const char *const READ_SQL[] = {
    [READ_ONE] = READ_PAGE "key=?1" READ_TIMES "key, at, id LIMIT ?5",
    [READ_ONE_BACK] = READ_PAGE "key=?1" READ_TIMES "key DESC, at DESC, id DESC LIMIT ?5",
    [READ_PREFIX] = READ_PAGE "key>=?1 AND key<?2" READ_TIMES "key, at, id LIMIT ?5",
    [READ_PREFIX_BACK] =
        READ_PAGE "key>=?1 AND key<?2" READ_TIMES "key DESC, at DESC, id DESC LIMIT ?5",
};

static sqlite3_stmt *read_statement(struct db *db, const struct series_read *q)
{
    size_t len = prefix_len(q->key);
    bool one = len == SIZE_MAX;
    sqlite3_stmt *s = db_statement(db, (one ? READ_ONE : READ_PREFIX) + q->newest_first);
    if (one)
        bind_text(s, 1, q->key);
    else
        bind_prefix(s, 1, q->key, len);
    bind_int(s, 3, q->from);
    bind_int(s, 4, q->to ? q->to : INT64_MAX);
    bind_int(s, 5, q->limit ? (int64_t)q->limit : -1);
    return s;
}

bool reader_series(struct reader *r, struct series_read *q, struct err *e)
{
    sqlite3_stmt *s = read_statement(&r->series, q);
    int row;
    while ((row = db_row(&r->series, s, e)) > 0) {
        const void *data = sqlite3_column_blob(s, 3);
        if (!q->each(q->ctx, column_text(s, 0), sqlite3_column_int64(s, 1), column_text(s, 2),
                     data ? data : "", (size_t)sqlite3_column_bytes(s, 3)))
            break;
    }
    sqlite3_reset(s);
    return row >= 0;
}

bool reader_open(struct reader *r, const char *dir, struct err *e)
{
    return db_open(&r->control, dir, CONTROL_SCHEMA.file, DB_READ, e) &&
           journal_prepare(&r->control, e) &&
           db_open(&r->series, dir, SERIES_SCHEMA.file, DB_READ, e) &&
           db_prepare(&r->series, 0, READ_SQL, sizeof READ_SQL / sizeof *READ_SQL, e);
}

void reader_close(struct reader *r)
{
    sqlite3_finalize(r->journal);
    sqlite3_free(r->journal_sql);
    db_close(&r->control);
    db_close(&r->series);
    *r = (struct reader){0};
}
