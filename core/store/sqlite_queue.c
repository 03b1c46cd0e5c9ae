#include "store/sqlite.h"

#include <string.h>

/* How many jobs a queue has is kept in a table of its own: counting them at each push would make
 * filling a queue quadratic. */
enum {
    SIZE = QUEUE_FIRST,
    RESIZE,
    FIND,
    PUSH,
    NEXT,
    NAMED,
    CLAIM,
    EXTEND,
    FINISH,
    REPLACE,
    DROP,
    STATEMENTS
};
static const char *const SQL[] = {
    [SIZE - QUEUE_FIRST] = "SELECT jobs FROM queue_size WHERE queue=?1",
    [RESIZE - QUEUE_FIRST] =
        "INSERT INTO queue_size VALUES(?1, ?2) ON CONFLICT(queue) DO UPDATE SET jobs=jobs+?2",
    [FIND - QUEUE_FIRST] = "SELECT n FROM job WHERE queue=?1 AND id=?2",
    [PUSH - QUEUE_FIRST] =
        "INSERT INTO job(queue, id, data, claimed_until, attempts) VALUES(?1, ?2, ?3, 0, 0)",
    [NEXT - QUEUE_FIRST] = ("SELECT n, id, data, attempts FROM job INDEXED BY job_order"
                            " WHERE queue=?1 AND claimed_until<=?2 AND n>?3 ORDER BY n LIMIT 1"),
    [NAMED - QUEUE_FIRST] = "SELECT n, id, data, attempts FROM job WHERE queue=?1 AND id=?2",
    [CLAIM - QUEUE_FIRST] =
        "UPDATE job SET worker=?2, claimed_until=?3, attempts=attempts+1 WHERE n=?1",
    [EXTEND - QUEUE_FIRST] =
        "UPDATE job SET claimed_until=?4 WHERE queue=?1 AND id=?2 AND worker=?3",
    [FINISH - QUEUE_FIRST] = "DELETE FROM job WHERE queue=?1 AND id=?2 AND worker=?3",
    [REPLACE - QUEUE_FIRST] =
        ("UPDATE job SET data=?4, claimed_until=?5, worker=CASE ?5 WHEN 0 THEN NULL ELSE worker END"
         " WHERE queue=?1 AND id=?2 AND worker=?3"),
    [DROP - QUEUE_FIRST] = "DELETE FROM job WHERE queue=?1 AND id=?2",
};
_Static_assert((int)STATEMENTS <= (int)STATEMENTS_MAX, "too many statements");

#define BOUND 100000

bool queue_prepare(struct db *db, struct err *e)
{
    return db_prepare(db, QUEUE_FIRST, SQL, sizeof SQL / sizeof *SQL, e);
}

static enum outcome outcome_of(bool ok)
{
    return ok ? OUTCOME_DONE : OUTCOME_BROKEN;
}

/* A statement about the job (queue, id); 1 when there is a row. */
static int look(struct db *db, int which, const struct queue_request *q, int64_t *n, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, which);
    bind_text(s, 1, q->queue);
    if (which == FIND)
        bind_text(s, 2, q->id);
    int row = db_row(db, s, e);
    *n = row > 0 ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return row;
}

static bool resize(struct db *db, const char *queue, int by, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, RESIZE);
    bind_text(s, 1, queue);
    bind_int(s, 2, by);
    return db_run(db, s, e);
}

static bool add(struct db *db, const char *queue, const struct queue_request *q, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, PUSH);
    bind_text(s, 1, queue);
    bind_text(s, 2, q->id);
    bind_blob(s, 3, q->data, q->len);
    return db_run(db, s, e) && resize(db, queue, 1, e);
}

static enum outcome push(struct db *db, struct queue_request *q, struct err *e)
{
    int64_t n, size, bound = q->bound ? (int64_t)q->bound : BOUND;
    int there = look(db, FIND, q, &n, e);
    q->found = there > 0;
    if (there)
        return outcome_of(there > 0);
    if (look(db, SIZE, q, &size, e) < 0)
        return OUTCOME_BROKEN;
    if (size >= bound) {
        fail(e, &ERR_BUSY, "%lld jobs wait in the queue '%s' already", (long long)size, q->queue);
        return OUTCOME_REFUSED;
    }
    return outcome_of(add(db, q->queue, q, e));
}

/* Copy what was found into the arena. */
static bool take_job(sqlite3_stmt *s, struct queue_request *q, struct err *e)
{
    size_t len = (size_t)sqlite3_column_bytes(s, 2),
           id_size = (size_t)sqlite3_column_bytes(s, 1) + 1;
    char *data = arena_alloc(q->arena, len + 1), *id = arena_alloc(q->arena, id_size);
    if (!data || !id)
        return fail(e, &ERR_MEMORY, "a job is larger than the arena");
    if (len)
        memcpy(data, sqlite3_column_blob(s, 2), len);
    data[len] = '\0';
    q->id = memcpy(id, column_text(s, 1), id_size);
    q->data = data;
    q->len = len;
    q->attempts = (unsigned)sqlite3_column_int64(s, 3) + 1;
    return true;
}

static enum outcome claim(struct db *db, struct queue_request *q, int64_t now, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, q->id ? NAMED : NEXT);
    bind_text(s, 1, q->queue);
    if (q->id) {
        bind_text(s, 2, q->id);
    } else {
        bind_int(s, 2, now);
        bind_int(s, 3, (int64_t)q->after);
    }
    int row = db_row(db, s, e);
    q->found = row > 0;
    if (row <= 0)
        return outcome_of(row == 0);
    int64_t n = sqlite3_column_int64(s, 0);
    q->number = (uint64_t)n;
    bool taken = take_job(s, q, e);
    sqlite3_reset(s);
    if (!taken)
        return OUTCOME_REFUSED;
    s = db_statement(db, CLAIM);
    bind_int(s, 1, n);
    bind_text(s, 2, q->worker);
    bind_int(s, 3, now + q->claim_ms);
    return outcome_of(db_run(db, s, e));
}

/* Whoever claimed last has the job, also past the end of its claim as long as nobody else took it.
 */
static enum outcome mine(struct db *db, int which, struct queue_request *q, int64_t until,
                         struct err *e)
{
    sqlite3_stmt *s = db_statement(db, which);
    bind_text(s, 1, q->queue);
    bind_text(s, 2, q->id);
    bind_text(s, 3, q->worker);
    if (which == EXTEND)
        bind_int(s, 4, until);
    if (!db_run(db, s, e))
        return OUTCOME_BROKEN;
    q->found = sqlite3_changes(db->handle) > 0;
    return outcome_of(which == EXTEND || !q->found || resize(db, q->queue, -1, e));
}

static enum outcome replace(struct db *db, struct queue_request *q, int64_t now, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, REPLACE);
    bind_text(s, 1, q->queue);
    bind_text(s, 2, q->id);
    bind_text(s, 3, q->worker);
    bind_blob(s, 4, q->data, q->len);
    bind_int(s, 5, q->claim_ms ? now + q->claim_ms : 0);
    if (!db_run(db, s, e))
        return OUTCOME_BROKEN;
    q->found = sqlite3_changes(db->handle) > 0;
    return OUTCOME_DONE;
}

static enum outcome move(struct db *db, struct queue_request *q, int64_t now, struct err *e)
{
    if (strcmp(q->to, q->queue) == 0)
        return replace(db, q, now, e);
    enum outcome done = mine(db, FINISH, q, 0, e);
    if (done != OUTCOME_DONE || !q->found)
        return done;
    sqlite3_stmt *s = db_statement(db, DROP);
    bind_text(s, 1, q->to);
    bind_text(s, 2, q->id);
    if (!db_run(db, s, e))
        return OUTCOME_BROKEN;
    bool gave_way = sqlite3_changes(db->handle) > 0;
    return outcome_of((!gave_way || resize(db, q->to, -1, e)) && add(db, q->to, q, e));
}

enum outcome queue_run(struct writer *w, struct queue_request *q, struct err *e)
{
    int64_t now = clock_wall_ms(w->store->clock);
    switch (q->op) {
    case QUEUE_PUSH: return push(&w->db, q, e);
    case QUEUE_CLAIM: return claim(&w->db, q, now, e);
    case QUEUE_HEARTBEAT: return mine(&w->db, EXTEND, q, now + q->claim_ms, e);
    case QUEUE_FINISH: return mine(&w->db, FINISH, q, 0, e);
    case QUEUE_MOVE: return move(&w->db, q, now, e);
    }
    fail(e, &ERR_INTERNAL, "unknown queue operation %d", (int)q->op);
    return OUTCOME_REFUSED;
}
