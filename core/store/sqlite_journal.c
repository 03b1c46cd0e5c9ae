/* Pages of the journal. Which index serves is chosen here, not by SQLite, which knows nothing of
 * what the columns hold: the most selective filter wins, and since every index ends in seq its rows
 * come in order. */
#include "base/bytes.h"
#include "base/mem.h"
#include "store/entries.h"
#include "store/sqlite.h"

#include <string.h>

#define GRANTS_POINTER "grants" /* the type of the pointer that may_read() is given */

#define COLUMNS \
    "seq, at, ns, action, entity, entity_id, name, actor_id, request_id, to_status, hash, text"

/* Parameters have fixed places, whether the statement uses them or not. */
enum {
    P_NS = 1,
    P_ENTITY,
    P_ENTITY_ID,
    P_NAME,
    P_ACTOR,
    P_ACTION,
    P_STATUS,
    P_FROM,
    P_TO,
    P_LOW,
    P_HIGH,
    P_LIMIT,
    P_GRANTS
};

/* may_read(ns, subject, grants): the grants of whoever asks, in the words of the registry. */
static void may_read(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    const struct grants *g = sqlite3_value_pointer(values[2], GRANTS_POINTER);
    const char *ns = (const char *)sqlite3_value_text(values[0]);
    const char *subject = (const char *)sqlite3_value_text(values[1]);
    bool allowed = g && ns && grants_allow(g, ns, subject, ACTION_BIT(ACTION_READ));
    sqlite3_result_int(context, allowed);
}

bool journal_prepare(struct db *db, struct err *e)
{
    int code = sqlite3_create_function(db->handle, "may_read", 3, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                       NULL, may_read, NULL, NULL);
    return code == SQLITE_OK || db_fail(db, e);
}

struct span {
    int64_t low, high; /* low <= seq <= high */
    bool exact;        /* all within have a time within: no need to look */
};

static bool one_ns(const struct journal_query *q)
{
    return q->ns && strcmp(q->ns, "*") != 0;
}

static const char *index_for(const struct journal_query *q)
{
    if (q->entity_id)
        return "INDEXED BY journal_entity";
    if (q->name)
        return "INDEXED BY journal_name";
    if (q->actor_id)
        return "INDEXED BY journal_actor";
    return one_ns(q) ? "INDEXED BY journal_ns" : "NOT INDEXED";
}

static void add_filters(const struct journal_query *q, bool times, struct bytes *sql)
{
    const struct {
        const char *value, *column;
        int place;
    } FILTERS[] = {
        {one_ns(q) ? q->ns : NULL, "ns", P_NS},   {q->entity, "entity", P_ENTITY},
        {q->entity_id, "entity_id", P_ENTITY_ID}, {q->name, "name", P_NAME},
        {q->actor_id, "actor_id", P_ACTOR},       {q->action, "action", P_ACTION},
        {q->to_status, "to_status", P_STATUS},
    };
    bytes_printf(sql, " FROM journal %s WHERE seq>=?%d AND seq<=?%d", index_for(q), P_LOW, P_HIGH);
    for (size_t i = 0; i < sizeof FILTERS / sizeof *FILTERS; i++)
        if (FILTERS[i].value)
            bytes_printf(sql, " AND %s=?%d", FILTERS[i].column, FILTERS[i].place);
    if (q->grants)
        bytes_printf(sql, " AND may_read(ns, coalesce(name, entity_id), ?%d)", P_GRANTS);
    if (times)
        bytes_printf(sql, " AND at>=?%d AND at<?%d", P_FROM, P_TO);
}

static void bind_filters(sqlite3_stmt *s, const struct journal_query *q, const struct span *span)
{
    sqlite3_clear_bindings(s);
    bind_text(s, P_NS, q->ns);
    bind_text(s, P_ENTITY, q->entity);
    bind_text(s, P_ENTITY_ID, q->entity_id);
    bind_text(s, P_NAME, q->name);
    bind_text(s, P_ACTOR, q->actor_id);
    bind_text(s, P_ACTION, q->action);
    bind_text(s, P_STATUS, q->to_status);
    bind_int(s, P_FROM, q->from);
    bind_int(s, P_TO, q->to ? q->to : INT64_MAX);
    bind_int(s, P_LOW, span->low);
    bind_int(s, P_HIGH, span->high);
    bind_int(s, P_LIMIT, (int64_t)q->limit + 1);
    if (q->grants)
        sqlite3_bind_pointer(s, P_GRANTS, (void *)(uintptr_t)q->grants, GRANTS_POINTER, NULL);
}

/* The entries of a time lie together but for a clock that was set back. Where the query has nothing
 * more selective, the index of times tells the bounds of seq in one pass. */
static bool find_span(struct db *db, const struct journal_query *q, struct span *span,
                      struct err *e)
{
    *span = (struct span){0, INT64_MAX, q->from <= 0 && q->to == 0};
    if (span->exact || q->entity_id || q->name || q->actor_id)
        return true;
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->handle,
                                  "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0), count(*)"
                                  " FROM journal INDEXED BY journal_at WHERE at>=?1 AND at<?2",
                                  -1, &s, NULL);
    if (code == SQLITE_OK) {
        bind_int(s, 1, q->from);
        bind_int(s, 2, q->to ? q->to : INT64_MAX);
        code = sqlite3_step(s);
    }
    bool ok = code == SQLITE_ROW || db_fail(db, e);
    if (ok) {
        span->low = sqlite3_column_int64(s, 0);
        span->high = sqlite3_column_int64(s, 1);
        span->exact = sqlite3_column_int64(s, 2) == span->high - span->low + 1;
    }
    sqlite3_finalize(s);
    return ok;
}

static bool count(struct db *db, struct journal_read *r, const struct span *span, struct err *e)
{
    struct bytes sql = BYTES_INIT(4096);
    sqlite3_stmt *s = NULL;
    bytes_text(&sql, "SELECT count(*)");
    add_filters(&r->query, !span->exact, &sql);
    bool ok = sqlite3_prepare_v2(db->handle, sql.data, -1, &s, NULL) == SQLITE_OK;
    if (ok) {
        bind_filters(s, &r->query, span);
        ok = sqlite3_step(s) == SQLITE_ROW;
    }
    if (ok)
        r->total = (uint64_t)sqlite3_column_int64(s, 0);
    else
        db_fail(db, e);
    sqlite3_finalize(s);
    bytes_release(&sql);
    return ok;
}

/* Pages of one export differ only in their bounds, so the last statement is kept. */
static sqlite3_stmt *page_statement(struct reader *r, const struct journal_query *q, bool times,
                                    struct err *e)
{
    struct bytes sql = BYTES_INIT(4096);
    bytes_text(&sql, "SELECT " COLUMNS);
    add_filters(q, times, &sql);
    bytes_printf(&sql, " ORDER BY seq%s LIMIT ?%d", q->newest_first ? " DESC" : "", P_LIMIT);
    if (!r->journal || strcmp(r->journal_sql, sql.data) != 0) {
        sqlite3_finalize(r->journal);
        sqlite3_free(r->journal_sql);
        r->journal = NULL;
        r->journal_sql = sqlite3_mprintf("%s", sql.data);
        if (!r->journal_sql ||
            sqlite3_prepare_v3(r->control.handle, sql.data, -1, SQLITE_PREPARE_PERSISTENT,
                               &r->journal, NULL) != SQLITE_OK)
            db_fail(&r->control, e);
    }
    bytes_release(&sql);
    return r->journal;
}

static struct journal_entry entry_of(sqlite3_stmt *s)
{
    struct journal_entry entry = {
        .seq = (uint64_t)sqlite3_column_int64(s, 0),
        .at = sqlite3_column_int64(s, 1),
        .ns = column_text(s, 2),
        .action = column_text(s, 3),
        .entity = column_text(s, 4),
        .entity_id = column_text(s, 5),
        .name = column_text(s, 6),
        .actor_id = column_text(s, 7),
        .request_id = column_text(s, 8),
        .to_status = column_text(s, 9),
        .text = column_text(s, 11),
        .text_len = (size_t)sqlite3_column_bytes(s, 11),
    };
    snprintf(entry.hash, sizeof entry.hash, "%s", column_text(s, 10));
    return entry;
}

static bool read_page(struct reader *r, struct journal_read *q, struct span span, struct err *e)
{
    const struct journal_query *query = &q->query;
    if (query->after_seq && (int64_t)query->after_seq >= span.low)
        span.low = (int64_t)query->after_seq + 1;
    if (query->before_seq && (int64_t)query->before_seq <= span.high)
        span.high = (int64_t)query->before_seq - 1;
    sqlite3_stmt *s = page_statement(r, query, !span.exact, e);
    if (!s)
        return false;
    bind_filters(s, query, &span);
    int row;
    while ((row = db_row(&r->control, s, e)) > 0) {
        struct journal_entry entry = entry_of(s);
        if (!page_add(q, &entry))
            break;
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return row >= 0 && page_end(q, e);
}

bool reader_journal(struct reader *r, struct journal_read *q, struct err *e)
{
    struct span span;
    /* One transaction, so that the total and the page are of one moment. */
    if (!page_begin(q, e) || !db_exec(&r->control, "BEGIN", e))
        return false;
    bool ok = find_span(&r->control, &q->query, &span, e) &&
              (!q->query.count_total || count(&r->control, q, &span, e)) &&
              read_page(r, q, span, e);
    sqlite3_exec(r->control.handle, "COMMIT", NULL, NULL, NULL);
    return ok;
}
