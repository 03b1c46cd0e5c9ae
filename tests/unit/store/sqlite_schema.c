#include "store/sqlite.h"

#include "support/temp_dir.h"
#include "support/unit.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static const char *const STEPS[] = {
    "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
    "ALTER TABLE a ADD COLUMN y",
    "UPDATE a SET y=x+1",
};
static const char *const BROKEN[] = {
    "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
    "DELETE FROM a; SELECT * FROM nowhere",
};

static struct schema schema_of(const char *const *steps, int n)
{
    return (struct schema){
        .file = "test.db", .application_id = 4711, .migrations = steps, .version = n};
}

static bool migrate_to(const char *dir, struct schema schema, struct err *e)
{
    struct db db;
    bool ok = db_open(&db, dir, "test.db", DB_CREATE, e) && schema_migrate(&db, &schema, false, e);
    db_close(&db);
    return ok;
}

static int64_t ask(const char *dir, const char *sql)
{
    struct db db;
    struct err e = {0};
    int64_t n = -1;
    if (!db_open(&db, dir, "test.db", DB_READ, &e) || !db_number(&db, sql, &n, &e))
        fail_msg("%s: %s", sql, e.detail);
    db_close(&db);
    return n;
}

static int set_up(void **state)
{
    static char dir[TEMP_DIR_SIZE];
    temp_dir_make(dir);
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

static void migrations_run_once_in_order_from_any_version(void **state)
{
    struct err e = {0};
    for (int version = 1; version <= (int)LEN(STEPS); version++) {
        assert_true(migrate_to(*state, schema_of(STEPS, version), &e));
        assert_int_equal(ask(*state, "PRAGMA user_version"), version);
        assert_true(migrate_to(*state, schema_of(STEPS, version), &e)); /* nothing left to do */
    }
    assert_int_equal(ask(*state, "SELECT y FROM a"), 2);
    assert_int_equal(ask(*state, "SELECT count(*) FROM a"), 1);
    assert_int_equal(ask(*state, "PRAGMA application_id"), 4711);
}

static void all_at_once_gives_the_same(void **state)
{
    struct err e = {0};
    assert_true(migrate_to(*state, schema_of(STEPS, LEN(STEPS)), &e));
    assert_int_equal(ask(*state, "SELECT y FROM a"), 2);
}

static void a_step_that_fails_leaves_the_version_before_it(void **state)
{
    struct err e = {0};
    assert_false(migrate_to(*state, schema_of(BROKEN, LEN(BROKEN)), &e));
    assert_non_null(strstr(e.detail, "nowhere"));
    assert_int_equal(ask(*state, "PRAGMA user_version"), 1);
    assert_int_equal(ask(*state, "SELECT count(*) FROM a"), 1);
}

static void older_programs_refuse_newer_files(void **state)
{
    struct err e = {0};
    assert_true(migrate_to(*state, schema_of(STEPS, 3), &e));
    assert_false(migrate_to(*state, schema_of(STEPS, 2), &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "newer version of Paddock (schema 3, this program knows 2)"));
}

/* Guards released migrations: a change of one must be a new one. */
static void released_migrations_never_change(void **state)
{
    (void)state;
    const struct {
        const struct schema *schema;
        int version;
        const char *hash;
    } RELEASED[] = {
        {&CONTROL_SCHEMA, 1, "621dceb4f15b7cadd7baa8eb97b1fa9fcf2b929895f5a199da2f08a2e8a6590a"},
        {&SERIES_SCHEMA, 1, "04b9d2ee07310d8ef9a467ffc12842d5f17309c34ccd79d1d8e7097abe0b07cd"},
    };
    for (size_t i = 0; i < LEN(RELEASED); i++) {
        const char *sql = RELEASED[i].schema->migrations[RELEASED[i].version - 1];
        char hash[SHA256_HEX_SIZE];
        sha256_hex(sql, strlen(sql), hash);
        assert_string_equal(hash, RELEASED[i].hash);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(migrations_run_once_in_order_from_any_version),
        TEST(all_at_once_gives_the_same),
        TEST(a_step_that_fails_leaves_the_version_before_it),
        TEST(older_programs_refuse_newer_files),
        TEST(released_migrations_never_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
