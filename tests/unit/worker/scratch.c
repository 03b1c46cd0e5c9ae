/* The private directory of runs: kept as long as none has touched it. */
#include "support/unit.h"
#include "worker/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char parent[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(parent, sizeof parent, "/tmp/paddock-scratch-XXXXXX");
    return mkdtemp(parent) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(parent); /* nothing was left */
}

static void hand(struct scratch *s)
{
    struct err e;
    if (!scratch_need(s, parent, &e) || !scratch_hand(s, getuid(), getgid(), &e))
        fail_msg("%s", e.detail);
}

static void untouched_it_is_kept(void **state)
{
    (void)state;
    struct scratch s = {.path = ""};
    char path[PATH_MAX];
    hand(&s);
    memcpy(path, s.path, sizeof path);
    for (int i = 0; i < 3; i++) {
        scratch_settle(&s);
        hand(&s);
        assert_string_equal(s.path, path);
    }
    scratch_end(&s);
    assert_int_equal(access(path, F_OK), -1);
    assert_string_equal(s.path, "");
    scratch_settle(&s);
    scratch_end(&s);
}

static void touch_file(const char *dir)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/file", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void widen(const char *dir)
{
    assert_int_equal(chmod(dir, 0777), 0);
}

static void take_away(const char *dir)
{
    assert_int_equal(rmdir(dir), 0);
}

static void with_anything_in_it_or_changed_it_goes(void **state)
{
    (void)state;
    void (*const touch[])(const char *) = {touch_file, widen, take_away};
    for (size_t i = 0; i < sizeof touch / sizeof *touch; i++) {
        struct scratch s = {.path = ""};
        char path[PATH_MAX];
        struct stat st;
        hand(&s);
        memcpy(path, s.path, sizeof path);
        touch[i](path);
        scratch_settle(&s);
        assert_string_equal(s.path, "");
        assert_int_equal(access(path, F_OK), -1);
        hand(&s);
        assert_int_equal(stat(s.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        scratch_end(&s);
    }
}

static void below_another_parent_it_is_another(void **state)
{
    (void)state;
    struct scratch s = {.path = ""};
    struct err e;
    char other[100], path[PATH_MAX];
    hand(&s);
    memcpy(path, s.path, sizeof path);
    snprintf(other, sizeof other, "%s/other", parent);
    assert_false(scratch_need(&s, other, &e)); /* it does not exist */
    assert_ptr_equal(e.kind, &ERR_IO);
    assert_string_equal(s.path, "");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_true(scratch_need(&s, other, &e));
    assert_memory_equal(s.path, other, strlen(other));
    scratch_end(&s);
    assert_int_equal(rmdir(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(untouched_it_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_anything_in_it_or_changed_it_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(below_another_parent_it_is_another, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
