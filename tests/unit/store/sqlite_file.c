/* What the embedded store refuses to open, and that it leaves such files as they are. */
#include "support/unit.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/store.h"
#include "support/store_wait.h"
#include "support/temp_dir.h"

#include <sqlite3.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char dir[TEMP_DIR_SIZE];
    char path[128];
};

static const char *path_of(struct fixture *f, const char *file)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, file);
    return f->path;
}

static struct store *open_store(struct fixture *f)
{
    struct err e = {0};
    struct store *s = store_sqlite_open(f->dir, &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("refused: %s", e.detail);
    return s;
}

#define MODELS_MAX 60

static void write_models(struct store *s, int n)
{
    static char value[3000], ids[MODELS_MAX][16];
    struct store_row rows[MODELS_MAX];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < n; i++) {
        snprintf(ids[i], sizeof ids[i], "m:%d", i);
        rows[i] = (struct store_row){"model", "default", ids[i], 1, 1, value, sizeof value};
    }
    struct store_group group = {.rows = rows, .n_rows = (size_t)n};
    struct store_commit commit = {.groups = &group, .n_groups = 1};
    assert_true(wait_commit(s, &commit));
}

static bool count_row(void *ctx, const struct store_row *r, struct err *e)
{
    (void)e;
    *(int *)ctx += r->value_len == 3000;
    return true;
}

static void assert_models(struct store *s, int n)
{
    int rows = 0;
    struct store_head head;
    struct err e;
    assert_true(s->ops->load(s, count_row, &rows, &head, &e));
    assert_int_equal(rows, n);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    temp_dir_make_fast(f->dir);
    struct store *s = open_store(f);
    write_models(s, 40);
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

/* --- files --- */

static char *read_file(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    char *data = mem_alloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
    close(fd);
    *len = (size_t)st.st_size;
    return data;
}

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void patch_file(const char *path, off_t at, const char *data, size_t len)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, data, len, at) == (ssize_t)len);
    close(fd);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names, sizes and hashes of all files, but for the shared memory that SQLite makes anew each time.
 */
static char *fingerprint(struct fixture *f)
{
    struct bytes text = BYTES_INIT(1 << 20);
    char *names[32];
    size_t n = 0;
    DIR *dir = opendir(f->dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && !strstr(entry->d_name, "-shm"))
            names[n++] = mem_text(entry->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        char hash[SHA256_HEX_SIZE], *data = read_file(path_of(f, names[i]), &len);
        sha256_hex(data, len, hash);
        /* An empty log is no change: SQLite makes one to read. */
        if (len > 0 || !strstr(names[i], "-wal"))
            bytes_printf(&text, "%s %zu %s\n", names[i], len, hash);
        free(data);
        free(names[i]);
    }
    return bytes_take(&text, NULL);
}

static void assert_refused(struct fixture *f, const struct err_kind *kind, const char *says)
{
    char *before = fingerprint(f);
    struct err e = {0};
    struct store *s = store_sqlite_open(f->dir, &CLOCK_SYSTEM, &e);
    if (s)
        fail_msg("opened, where '%s' was due", says);
    if (e.kind != kind || !strstr(e.detail, says))
        fail_msg("'%s' was due, said: %s", says, e.detail);
    char *after = fingerprint(f);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void run_sql(struct fixture *f, const char *file, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(f, file), &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

/* --- tests --- */

static void what_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    write_file(path_of(f, "control.db"), "my important notes\n", 19);
    assert_refused(f, &ERR_CORRUPT, "control.db is not a database");
    char zeros[8192] = {0};
    write_file(path_of(f, "control.db"), zeros, sizeof zeros);
    assert_refused(f, &ERR_CORRUPT, "control.db is not a database");
}

static void series_db_is_looked_at_before_control_db_is_touched(void **state)
{
    struct fixture *f = *state;
    write_file(path_of(f, "series.db"), "notes", 5);
    assert_refused(f, &ERR_CORRUPT, "series.db is not a database");
}

static void another_programs_database_is_refused(void **state)
{
    struct fixture *f = *state;
    unlink(path_of(f, "control.db"));
    run_sql(f, "control.db", "CREATE TABLE t(x); INSERT INTO t VALUES(1)"); /* without an id */
    assert_refused(f, &ERR_CONFIG, "database of another program");
    run_sql(f, "control.db", "PRAGMA application_id=77");
    assert_refused(f, &ERR_CONFIG, "database of another program");
    unlink(path_of(f, "control.db"));
    char series[128];
    snprintf(series, sizeof series, "%s/series.db", f->dir);
    assert_int_equal(link(series, path_of(f, "control.db")), 0); /* the wrong one of ours */
    assert_refused(f, &ERR_CONFIG, "database of another program");
}

static void a_newer_version_is_refused(void **state)
{
    struct fixture *f = *state;
    run_sql(f, "series.db", "PRAGMA user_version=99");
    assert_refused(f, &ERR_CONFIG, "series.db was made by a newer version of Paddock (schema 99");
}

static void a_newer_version_that_is_only_in_the_log_is_refused(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(f, "control.db"), &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_refused(f, &ERR_CONFIG, "newer version of Paddock (schema 7");
}

static void cut(struct fixture *f, off_t size)
{
    assert_int_equal(truncate(path_of(f, "control.db"), size), 0);
}

static void a_file_cut_short_is_refused(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(path_of(f, "control.db"), &st), 0);
    cut(f, st.st_size - 4096);
    assert_refused(f, &ERR_CORRUPT, "control.db is cut short");
    cut(f, st.st_size / 2 + 17);
    assert_refused(f, &ERR_CORRUPT, "control.db is cut short");
    cut(f, 50);
    assert_refused(f, &ERR_CORRUPT, "control.db is not a database");
    cut(f, 0);
    assert_refused(f, &ERR_CORRUPT, "control.db is empty although series.db is there");
    unlink(path_of(f, "control.db"));
    assert_refused(f, &ERR_CORRUPT, "control.db is missing although series.db is there");
}

static void a_log_without_its_database_is_refused(void **state)
{
    struct fixture *f = *state;
    unlink(path_of(f, "control.db"));
    unlink(path_of(f, "series.db"));
    char log[5000] = "looks like a log";
    write_file(path_of(f, "control.db-wal"), log, sizeof log);
    assert_refused(f, &ERR_CORRUPT, "control.db is missing, but its log");
}

static void a_damaged_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    patch_file(path_of(f, "control.db"), 100, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_refused(f, &ERR_CORRUPT, "control.db");
}

static void a_log_that_does_not_mend_a_cut_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char log[5000] = "not a log at all";
    assert_int_equal(stat(path_of(f, "control.db"), &st), 0);
    assert_int_equal(truncate(f->path, st.st_size / 2), 0);
    write_file(path_of(f, "control.db-wal"), log, sizeof log);
    assert_refused(f, &ERR_CORRUPT, "control.db");
}

/* What a crash in the middle of a checkpoint leaves: a short file, and a log that has all of it. */
static void a_log_that_mends_a_cut_file_is_used(void **state)
{
    struct fixture *f = *state;
    unlink(path_of(f, "control.db"));
    unlink(path_of(f, "series.db"));
    struct store *s = open_store(f);
    write_models(s, 40);
    size_t len;
    char *log = read_file(path_of(f, "control.db-wal"), &len);
    s->ops->close(s);
    struct stat st;
    assert_int_equal(stat(path_of(f, "control.db"), &st), 0);
    assert_int_equal(truncate(f->path, st.st_size / 2), 0);
    write_file(path_of(f, "control.db-wal"), log, len);
    free(log);
    s = open_store(f);
    assert_models(s, 40);
    s->ops->close(s);
}

static void what_a_crash_leaves_is_complete(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_store(f);
    write_models(s, 60);
    size_t db_len, log_len;
    char *db = read_file(path_of(f, "control.db"), &db_len);
    char *log = read_file(path_of(f, "control.db-wal"), &log_len);
    s->ops->close(s);
    write_file(path_of(f, "control.db"), db, db_len);
    write_file(path_of(f, "control.db-wal"), log, log_len);
    free(db);
    free(log);
    s = open_store(f);
    assert_models(s, 60);
    s->ops->close(s);
}

static void a_creation_that_was_cut_off_goes_on(void **state)
{
    struct fixture *f = *state;
    unlink(path_of(f, "series.db"));
    write_file(path_of(f, "control.db"), "", 0);
    struct store *s = open_store(f);
    assert_models(s, 0);
    s->ops->close(s);
    unlink(path_of(f, "series.db")); /* made second */
    s = open_store(f);
    s->ops->close(s);
}

static void a_directory_that_cannot_be_is_refused(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    write_file(path_of(f, "file"), "", 0);
    assert_null(store_sqlite_open(f->path, &CLOCK_SYSTEM, &e));
    assert_non_null(strstr(e.detail, "file"));
    assert_null(store_sqlite_open(path_of(f, "a/b"), &CLOCK_SYSTEM, &e));
    assert_non_null(strstr(e.detail, "cannot make the data directory"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_database_is_refused),
        TEST(series_db_is_looked_at_before_control_db_is_touched),
        TEST(another_programs_database_is_refused),
        TEST(a_newer_version_is_refused),
        TEST(a_newer_version_that_is_only_in_the_log_is_refused),
        TEST(a_file_cut_short_is_refused),
        TEST(a_log_without_its_database_is_refused),
        TEST(a_damaged_schema_is_refused),
        TEST(a_log_that_does_not_mend_a_cut_file_is_refused),
        TEST(a_log_that_mends_a_cut_file_is_used),
        TEST(what_a_crash_leaves_is_complete),
        TEST(a_creation_that_was_cut_off_goes_on),
        TEST(a_directory_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
