#include "store/sqlite.h"

#include <string.h>

enum { PUT_ROW = CONTROL_FIRST, DELETE_ROW, GET_REVISION, PUT_ENTRY, PUT_META, PROBE, STATEMENTS };
static const char *const SQL[] = {
    [PUT_ROW] =
        ("INSERT INTO entity(kind, ns, id, uid, revision, value) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
         " ON CONFLICT(kind, ns, id) DO UPDATE SET uid=?4, revision=?5, value=?6"),
    [DELETE_ROW] = "DELETE FROM entity WHERE kind=?1 AND ns=?2 AND id=?3",
    [GET_REVISION] = "SELECT revision FROM entity WHERE kind=?1 AND ns=?2 AND id=?3",
    [PUT_ENTRY] =
        ("INSERT INTO journal(seq, at, ns, action, entity, entity_id, name, actor_id, request_id,"
         " to_status, hash, text) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"),
    [PUT_META] =
        "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value=?2",
    [PROBE] = ("INSERT INTO expiring(key, value, number, expires_ms)"
               " VALUES('probe', randomblob(262144), 0, 0)"
               " ON CONFLICT(key) DO UPDATE SET value=excluded.value"),
};

_Static_assert((int)STATEMENTS <= (int)KEYS_FIRST, "the statements overlap");

static bool put_row(struct db *db, const struct store_row *r, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, r->value ? PUT_ROW : DELETE_ROW);
    bind_text(s, 1, r->kind);
    bind_text(s, 2, r->ns);
    bind_text(s, 3, r->id);
    if (r->value) {
        bind_int(s, 4, (int64_t)r->uid);
        bind_int(s, 5, r->revision);
        sqlite3_bind_text64(s, 6, r->value, r->value_len, SQLITE_STATIC, SQLITE_UTF8);
    }
    return db_run(db, s, e);
}

static bool put_entry(struct db *db, const struct journal_entry *entry, struct err *e)
{
    sqlite3_stmt *s = db_statement(db, PUT_ENTRY);
    bind_int(s, 1, (int64_t)entry->seq);
    bind_int(s, 2, entry->at);
    bind_text(s, 3, entry->ns);
    bind_text(s, 4, entry->action);
    bind_text(s, 5, entry->entity);
    bind_text(s, 6, entry->entity_id);
    bind_text(s, 7, entry->name);
    bind_text(s, 8, entry->actor_id);
    bind_text(s, 9, entry->request_id);
    bind_text(s, 10, entry->to_status);
    bind_text(s, 11, entry->hash);
    sqlite3_bind_text64(s, 12, entry->text, entry->text_len, SQLITE_STATIC, SQLITE_UTF8);
    return db_run(db, s, e);
}

/* 1: all expectations hold, 0: they do not, -1: cannot tell. */
static int expected(struct db *db, const struct store_group *g, struct err *e)
{
    for (size_t i = 0; i < g->n_expects; i++) {
        sqlite3_stmt *s = db_statement(db, GET_REVISION);
        bind_text(s, 1, g->expects[i].kind);
        bind_text(s, 2, g->expects[i].ns);
        bind_text(s, 3, g->expects[i].id);
        int row = db_row(db, s, e);
        if (row < 0)
            return -1;
        int64_t revision = row ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_reset(s);
        if (revision != g->expects[i].revision)
            return 0;
    }
    return 1;
}

static bool write_group(struct writer *w, const struct store_group *g, struct err *e)
{
    for (size_t i = 0; i < g->n_rows; i++)
        if (!put_row(&w->db, &g->rows[i], e))
            return false;
    for (size_t i = 0; i < g->n_entries; i++) {
        if (!put_entry(&w->db, &g->entries[i], e))
            return false;
        w->store->now.seq = g->entries[i].seq;
    }
    for (size_t i = 0; i < g->n_keys; i++)
        if (!keys_put(w, &g->keys[i], e))
            return false;
    return true;
}

static bool put_next_uid(struct writer *w, uint64_t next_uid, struct err *e)
{
    struct control_state *now = &w->store->now;
    if (next_uid <= now->next_uid)
        return true;
    now->next_uid = next_uid;
    sqlite3_stmt *s = db_statement(&w->db, PUT_META);
    bind_text(s, 1, "next_uid");
    bind_int(s, 2, (int64_t)next_uid);
    return db_run(&w->db, s, e);
}

/* An empty commit asks whether the disk takes writes: more than a few bytes, which a full one may
 * still have room for. What it writes has expired already. */
static bool probe(struct writer *w, struct err *e)
{
    sqlite3_stmt *s = db_statement(&w->db, PROBE);
    return db_run(&w->db, s, e);
}

static enum outcome commit_run(struct writer *w, struct store_commit *c, struct err *e)
{
    c->moved = c->head_seq != w->store->now.seq;
    if (c->moved) {
        fail(e, &ERR_IO, "the journal has moved on");
        return OUTCOME_REFUSED;
    }
    for (size_t i = 0; i < c->n_groups; i++) {
        struct store_group *g = &c->groups[i];
        int holds = expected(&w->db, g, e);
        g->refused = holds == 0;
        if (holds < 0 || (holds && !write_group(w, g, e)))
            return OUTCOME_BROKEN;
    }
    bool ok = put_next_uid(w, c->next_uid, e) && (c->n_groups > 0 || probe(w, e));
    return ok ? OUTCOME_DONE : OUTCOME_BROKEN;
}

enum outcome control_run(struct writer *w, struct job *j, struct err *e)
{
    if (job_writes(j) && !keys_purge(w, e))
        return OUTCOME_BROKEN;
    switch (j->kind) {
    case JOB_COMMIT: return commit_run(w, j->commit, e);
    case JOB_KEY: return keys_run(w, j->key, e);
    case JOB_LEASE: return lease_run(w, j->lease, e);
    case JOB_QUEUE: return queue_run(w, j->queue, e);
    default:
        fail(e, &ERR_INTERNAL, "job %d is not the control writer's", (int)j->kind);
        return OUTCOME_REFUSED;
    }
}

void control_begin(struct writer *w)
{
    w->store->now = w->store->committed;
}

void control_commit(struct writer *w)
{
    w->store->committed = w->store->now;
}

bool control_open(struct sqlite *s, struct err *e)
{
    struct db *db = &s->control.db;
    int64_t seq, next_uid;
    if (!db_prepare(db, CONTROL_FIRST, SQL, sizeof SQL / sizeof *SQL, e) || !keys_prepare(db, e) ||
        !queue_prepare(db, e) ||
        !db_number(db, "SELECT coalesce(max(seq), 0) FROM journal", &seq, e) ||
        !db_number(db, "SELECT coalesce(max(value), 1) FROM meta WHERE name='next_uid'", &next_uid,
                   e))
        return false;
    s->committed = s->now = (struct control_state){(uint64_t)seq, (uint64_t)next_uid};
    s->control.run = control_run;
    s->control.begin = control_begin;
    s->control.commit = control_commit;
    return true;
}
