/* store_verify on a real journal, whole and tampered with. Here because it takes an engine to write
 * one. */
#include "engine/engine.h"

#include "base/mem.h"
#include "support/calls.h"
#include "support/temp_dir.h"

#include <sqlite3.h>

#include <stdlib.h>
#include <string.h>

struct fixture {
    char dir[TEMP_DIR_SIZE];
    char faults[4096]; /* of the last look, one a line */
    struct verify_report report;
};

static void note(void *ctx, const char *fault)
{
    struct fixture *f = ctx;
    size_t len = strlen(f->faults);
    snprintf(f->faults + len, sizeof f->faults - len, "%s\n", fault);
}

static struct store *open_store(struct fixture *f)
{
    struct err e = {0};
    struct store *s = store_sqlite_open(f->dir, &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("refused: %s", e.detail);
    return s;
}

static void run(struct calls *calls, decide_fn *decide, const char *id, const char *body)
{
    struct call *call = call_new(calls, decide, id, body);
    if (!call_wait(call))
        fail_msg("%s: %s", id, call->c.err.detail);
    call_free(call);
}

/* Nine entries of two namespaces: two models of one name (one deleted again), and one elsewhere. */
static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    struct err e = {0};
    struct calls calls;
    temp_dir_make_fast(f->dir);
    struct store *s = open_store(f);
    struct engine_config config = {.store = s, .clock = &CLOCK_SYSTEM, .rules = &TEST_RULES};
    struct engine *en = engine_start(&config, &e);
    calls_init(&calls, en);
    register_model(&calls, "m", 1);
    register_model(&calls, "m", 2);
    run(&calls, model_transition, "m:1", "{\"status\":\"canary\"}");
    struct call *other =
        call_new(&calls, model_register, NULL, "{\"name\":\"o\",\"type\":\"classifier\"}");
    other->c.ns = "other";
    assert_true(call_wait(other));
    call_free(other);
    run(&calls, model_delete, "m:2", NULL);
    calls_release(&calls);
    engine_stop(en);
    s->ops->close(s);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

static void look(struct fixture *f)
{
    struct err e = {0};
    struct store *s = open_store(f);
    f->faults[0] = '\0';
    if (!store_verify(s, note, f, &f->report, &e))
        fail_msg("cannot verify: %s", e.detail);
    s->ops->close(s);
}

static void assert_found(struct fixture *f, const char *sql, const char *fault)
{
    char path[128], *why = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/control.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    assert_int_not_equal(sqlite3_total_changes(db), 0);
    sqlite3_close(db);
    look(f);
    if (!strstr(f->faults, fault))
        fail_msg("after %s '%s' was due, found:\n%s", sql, fault, f->faults);
    assert_true(f->report.faults > 0);
}

static void an_untouched_journal_is_whole(void **state)
{
    struct fixture *f = *state;
    look(f);
    assert_string_equal(f->faults, "");
    assert_int_equal(f->report.faults, 0);
    assert_int_equal(f->report.entries, 9);
    assert_int_equal(f->report.namespaces, 2);
    assert_int_equal(f->report.entities, 4);
}

#define TAMPER(name, sql, fault)          \
    static void name(void **state)        \
    {                                     \
        assert_found(*state, sql, fault); \
    }

TAMPER(a_changed_text_is_found,
       "UPDATE journal SET text=replace(text, 'tester', 'nobody') WHERE seq=1",
       "journal entry 1: its hash does not fit its text")
TAMPER(a_changed_hash_is_found,
       "UPDATE journal SET hash=CASE substr(hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END"
       " || substr(hash, 2) WHERE seq=3",
       "journal entry 3: its hash does not fit its text")
TAMPER(a_missing_entry_is_found, "DELETE FROM journal WHERE seq=3",
       "journal entries 3 to 3 are missing")
TAMPER(a_missing_entry_breaks_its_chain, "DELETE FROM journal WHERE seq=3",
       "journal entry 4: it does not continue the entry before it")
TAMPER(a_changed_time_is_found, "UPDATE journal SET at=at+1 WHERE seq=2",
       "journal entry 2: its columns contradict its text")
TAMPER(a_changed_actor_is_found, "UPDATE journal SET actor_id='eve' WHERE seq=2",
       "journal entry 2: its columns contradict its text")
TAMPER(a_changed_request_is_found, "UPDATE journal SET request_id=NULL WHERE seq=2",
       "journal entry 2: its columns contradict its text")
TAMPER(a_changed_status_is_found, "UPDATE journal SET to_status=NULL WHERE to_status='canary'",
       "its columns contradict its text")
TAMPER(a_changed_name_is_found, "UPDATE journal SET name='x' WHERE entity='model' AND seq<3",
       "its columns contradict its text")
TAMPER(a_changed_entity_is_found,
       "UPDATE entity SET value=replace(value, '\"description\":\"\"', '\"description\":\"x\"')"
       " WHERE id='m:1'",
       "model 'm:1' of namespace 'default' is not what journal entry")
TAMPER(a_missing_entity_is_found, "DELETE FROM entity WHERE id='m:1'",
       "model 'm:1' of namespace 'default' is missing")
TAMPER(an_entity_brought_back_is_found,
       "INSERT INTO entity SELECT kind, ns, 'm:2', uid, revision, value FROM entity WHERE id='m:1'",
       "model 'm:2' of namespace 'default' exists, but journal entry")
TAMPER(an_entity_from_nowhere_is_found,
       "INSERT INTO entity SELECT kind, ns, 'new', uid, revision, value FROM entity WHERE id='m:1'",
       "model 'new' of namespace 'default' has no journal entry")
TAMPER(a_changed_revision_is_found, "UPDATE entity SET revision=revision+1 WHERE id='m:1'",
       "model 'm:1' of namespace 'default' is stored as revision 3 but says otherwise")
TAMPER(a_doubled_incarnation_is_found,
       "UPDATE entity SET uid=(SELECT uid FROM entity WHERE id='o:1') WHERE id='m:1'",
       "has the incarnation of another")
TAMPER(an_incarnation_not_given_yet_is_found, "UPDATE meta SET value=2 WHERE name='next_uid'",
       "though the next one is to be 2")
TAMPER(a_status_of_what_has_none_is_found,
       "UPDATE journal SET to_status='stable' WHERE entity='health' OR entity='registered_model'",
       "its columns contradict its text")
TAMPER(a_cut_off_end_is_found, "DELETE FROM journal WHERE seq>5", "is not what journal entry")

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_untouched_journal_is_whole),
        TEST(a_changed_text_is_found),
        TEST(a_changed_hash_is_found),
        TEST(a_missing_entry_is_found),
        TEST(a_missing_entry_breaks_its_chain),
        TEST(a_changed_time_is_found),
        TEST(a_changed_actor_is_found),
        TEST(a_changed_request_is_found),
        TEST(a_changed_status_is_found),
        TEST(a_changed_name_is_found),
        TEST(a_changed_entity_is_found),
        TEST(a_missing_entity_is_found),
        TEST(an_entity_brought_back_is_found),
        TEST(an_entity_from_nowhere_is_found),
        TEST(a_cut_off_end_is_found),
        TEST(a_changed_revision_is_found),
        TEST(a_doubled_incarnation_is_found),
        TEST(an_incarnation_not_given_yet_is_found),
        TEST(a_status_of_what_has_none_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
