#include "store/lease.h"
#include "store/sqlite.h"

#include <string.h>

enum { GET = KEYS_FIRST, PUT, ADD, DROP, PURGE, LEASE_GET, LEASE_PUT, STATEMENTS };
static const char *const SQL[] = {
    [GET - KEYS_FIRST] = "SELECT value, number FROM expiring WHERE key=?1 AND expires_ms>?2",
    [PUT - KEYS_FIRST] =
        "REPLACE INTO expiring(key, value, number, expires_ms) VALUES(?1, ?2, 0, ?3)",
    [ADD - KEYS_FIRST] = "UPDATE expiring SET number=?2 WHERE key=?1",
    [DROP - KEYS_FIRST] = "DELETE FROM expiring WHERE key=?1",
    [PURGE - KEYS_FIRST] = ("DELETE FROM expiring WHERE key IN"
                            " (SELECT key FROM expiring WHERE expires_ms<=?1 LIMIT 1000)"),
    [LEASE_GET - KEYS_FIRST] = "SELECT holder, token, until FROM lease WHERE name=?1",
    [LEASE_PUT - KEYS_FIRST] =
        "REPLACE INTO lease(name, holder, token, until) VALUES(?1, ?2, ?3, ?4)",
};
_Static_assert((int)STATEMENTS <= (int)QUEUE_FIRST, "the statements overlap");

#define PURGE_EVERY_MS 1000

bool keys_prepare(struct db *db, struct err *e)
{
    return db_prepare(db, KEYS_FIRST, SQL, sizeof SQL / sizeof *SQL, e);
}

bool keys_purge(struct writer *w, struct err *e)
{
    int64_t now = clock_wall_ms(w->store->clock), since = now - w->store->purged_ms;
    if (since >= 0 && since < PURGE_EVERY_MS)
        return true;
    w->store->purged_ms = now;
    sqlite3_stmt *s = db_statement(&w->db, PURGE);
    bind_int(s, 1, now);
    return db_run(&w->db, s, e);
}

bool keys_put(struct writer *w, const struct store_key *key, struct err *e)
{
    sqlite3_stmt *s = db_statement(&w->db, PUT);
    bind_text(s, 1, key->key);
    bind_blob(s, 2, key->value, key->value_len);
    bind_int(s, 3, key->expires_ms);
    return db_run(&w->db, s, e);
}

/* Look the key up and hand its value out. */
static enum outcome get(struct writer *w, struct key_request *k, struct err *e)
{
    sqlite3_stmt *s = db_statement(&w->db, GET);
    bind_text(s, 1, k->key.key);
    bind_int(s, 2, clock_wall_ms(w->store->clock));
    int row = db_row(&w->db, s, e);
    if (row < 0)
        return OUTCOME_BROKEN;
    k->found = row > 0;
    k->number = row ? sqlite3_column_int64(s, 1) : 0;
    if (!row || (k->op != KEY_GET && k->op != KEY_PUT_NEW)) {
        sqlite3_reset(s);
        return OUTCOME_DONE;
    }
    const void *value = sqlite3_column_blob(s, 0);
    k->value_len = (size_t)sqlite3_column_bytes(s, 0);
    char *copy = arena_alloc(k->arena, k->value_len + 1);
    if (copy) {
        if (k->value_len)
            memcpy(copy, value, k->value_len);
        copy[k->value_len] = '\0';
    }
    k->value = copy;
    sqlite3_reset(s);
    if (copy)
        return OUTCOME_DONE;
    fail(e, &ERR_MEMORY, "the value of a key is larger than the arena");
    return OUTCOME_REFUSED;
}

static enum outcome add(struct writer *w, struct key_request *k, struct err *e)
{
    int64_t sum;
    if (__builtin_add_overflow(k->number, k->amount, &sum)) {
        fail(e, &ERR_INVALID, "the counter '%s' would overflow", k->key.key);
        return OUTCOME_REFUSED;
    }
    struct store_key fresh = {k->key.key, NULL, 0, k->key.expires_ms};
    if (!k->found && !keys_put(w, &fresh, e))
        return OUTCOME_BROKEN;
    k->number = sum;
    sqlite3_stmt *s = db_statement(&w->db, ADD);
    bind_text(s, 1, k->key.key);
    bind_int(s, 2, sum);
    return db_run(&w->db, s, e) ? OUTCOME_DONE : OUTCOME_BROKEN;
}

static bool drop(struct writer *w, const char *key, struct err *e)
{
    sqlite3_stmt *s = db_statement(&w->db, DROP);
    bind_text(s, 1, key);
    return db_run(&w->db, s, e);
}

enum outcome keys_run(struct writer *w, struct key_request *k, struct err *e)
{
    enum outcome outcome = get(w, k, e);
    if (outcome != OUTCOME_DONE || k->op == KEY_GET || (k->op == KEY_PUT_NEW && k->found))
        return outcome;
    if (k->op == KEY_ADD)
        return add(w, k, e);
    bool ok = k->op == KEY_DELETE ? drop(w, k->key.key, e) : keys_put(w, &k->key, e);
    return ok ? OUTCOME_DONE : OUTCOME_BROKEN;
}

enum outcome lease_run(struct writer *w, struct lease_request *l, struct err *e)
{
    struct lease_row stored, next;
    sqlite3_stmt *s = db_statement(&w->db, LEASE_GET);
    bind_text(s, 1, l->name);
    int row = db_row(&w->db, s, e);
    if (row < 0)
        return OUTCOME_BROKEN;
    if (row)
        stored = (struct lease_row){column_text(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                                    sqlite3_column_int64(s, 2)};
    bool writes = lease_decide(row ? &stored : NULL, l, clock_wall_ms(w->store->clock), &next);
    sqlite3_reset(s);
    if (!writes)
        return OUTCOME_DONE;
    s = db_statement(&w->db, LEASE_PUT);
    bind_text(s, 1, l->name);
    bind_text(s, 2, next.holder);
    bind_int(s, 3, (int64_t)next.token);
    bind_int(s, 4, next.until);
    return db_run(&w->db, s, e) ? OUTCOME_DONE : OUTCOME_BROKEN;
}
