/* A disk that is full, or fails, and is good again. */
#include "store/store.h"
#include "support/store_wait.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define VALUE_SIZE 20000

static char value[VALUE_SIZE];

/* One model more; returns whether that was taken. */
static bool write_model(struct store *s, int number, struct err *e)
{
    char id[16];
    snprintf(id, sizeof id, "m:%d", number);
    struct store_row row = {"model", "default", id, 1, 1, value, VALUE_SIZE};
    struct store_group group = {.rows = &row, .n_rows = 1};
    struct store_commit commit = {.groups = &group, .n_groups = 1};
    bool ok = wait_commit(s, &commit);
    *e = commit.err;
    return ok;
}

/* The empty commit by which an engine asks whether the disk is back. */
static bool probe(struct store *s)
{
    struct store_commit commit = {.groups = NULL};
    return wait_commit(s, &commit);
}

static bool append(struct store *s, int number)
{
    struct series_record record = {"k", number, "a", value, VALUE_SIZE};
    struct series_append a = {.records = &record, .n = 1};
    return wait_append(s, &a);
}

static bool count_row(void *ctx, const struct store_row *r, struct err *e)
{
    (void)e;
    *(int *)ctx += r->value_len == VALUE_SIZE;
    return true;
}

static int count_models(struct store *s)
{
    int rows = 0;
    struct store_head head;
    struct err e = {0};
    if (!s->ops->load(s, count_row, &rows, &head, &e))
        fail_msg("cannot load: %s", e.detail);
    return rows;
}

static struct store *open_store(const char *dir)
{
    struct err e = {0};
    struct store *s = store_sqlite_open(dir, &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("refused: %s", e.detail);
    return s;
}

/* Write until it fails; then reads must go on, and after `relieve` writes too. */
static void assert_survives(const char *dir, void (*relieve)(const char *dir))
{
    struct store *s = open_store(dir);
    struct store_stats stats;
    struct err e = {0};
    int written = 0;
    while (write_model(s, written, &e))
        assert_true(++written < 1000);
    assert_true(written > 0);
    assert_ptr_equal(e.kind, &ERR_IO);
    assert_non_null(strstr(e.detail, "control.db"));
    s->ops->stats(s, &stats);
    assert_false(stats.available);
    assert_true(stats.unavailable_since > 0);
    assert_int_equal(stats.commit_failures, 1);
    assert_int_equal(count_models(s), written);
    assert_false(write_model(s, written, &e)); /* again and again */
    assert_false(probe(s));
    append(s, 0); /* fails or not; must not confuse the other file */

    relieve(dir);
    assert_true(probe(s));
    s->ops->stats(s, &stats);
    assert_true(stats.available || append(s, 1));
    assert_true(write_model(s, written, &e));
    written++;
    assert_true(append(s, 1));
    s->ops->stats(s, &stats);
    assert_true(stats.available);
    assert_int_equal(stats.unavailable_since, 0);
    s->ops->close(s);

    s = open_store(dir);
    assert_int_equal(count_models(s), written);
    s->ops->close(s);
}

static void remove_ballast(const char *dir)
{
    char path[128];
    snprintf(path, sizeof path, "%s/ballast", dir);
    assert_int_equal(unlink(path), 0);
}

static void a_full_disk_refuses_writes_until_there_is_room(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], path[128];
    static char ballast[10 << 20];
    temp_dir_make(dir);
    /* In a mount namespace of its own, so that nothing is left behind whatever happens. */
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("paddock-test", dir, "tmpfs", 0, "size=16m") != 0) {
        print_message(
            "SKIPPED: no file system may be mounted here (%s): the full disk is NOT tested\n",
            strerror(errno));
        temp_dir_remove(dir);
        skip();
    }
    snprintf(path, sizeof path, "%s/ballast", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, ballast, sizeof ballast), sizeof ballast);
    close(fd);
    assert_survives(dir, remove_ballast);
    assert_int_equal(umount(dir), 0);
    temp_dir_remove(dir);
}

static void lift_limit(const char *dir)
{
    (void)dir;
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_failing_write_refuses_until_it_works_again(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE];
    struct rlimit limit;
    temp_dir_make(dir);
    signal(SIGXFSZ, SIG_IGN); /* writes past the limit fail with EFBIG */
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_survives(dir, lift_limit);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_write_refuses_until_it_works_again),
        cmocka_unit_test(a_full_disk_refuses_writes_until_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
