#include "store/store.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void one_holder_at_a_time(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], holder[32];
    struct err e = {0};
    temp_dir_make(dir);
    int fd = data_dir_lock(dir, &e);
    assert_true(fd >= 0);
    assert_int_equal(data_dir_lock(dir, &e), -1);
    snprintf(holder, sizeof holder, "process %ld", (long)getpid());
    assert_non_null(strstr(e.detail, holder));
    assert_non_null(strstr(e.detail, dir));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    close(fd);
    fd = data_dir_lock(dir, &e);
    assert_true(fd >= 0);
    close(fd);
    temp_dir_remove(dir);
}

static void a_killed_holder_leaves_no_lock(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], byte;
    struct err e = {0};
    int pipes[2];
    temp_dir_make(dir);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = data_dir_lock(dir, &e);
        if (fd < 0 || write(pipes[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    char holder[32];
    snprintf(holder, sizeof holder, "process %ld", (long)child);
    assert_int_equal(data_dir_lock(dir, &e), -1);
    assert_non_null(strstr(e.detail, holder));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int fd = data_dir_lock(dir, &e);
    assert_true(fd >= 0);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
    temp_dir_remove(dir);
}

static void the_directory_is_made_or_the_reason_said(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], path[128];
    struct err e = {0};
    struct stat st;
    temp_dir_make(dir);
    snprintf(path, sizeof path, "%s/new", dir);
    int fd = data_dir_lock(path, &e);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777 & 07, 0); /* not for others */
    snprintf(path, sizeof path, "%s/not/there", dir);
    assert_int_equal(data_dir_lock(path, &e), -1);
    assert_non_null(strstr(e.detail, "cannot make the data directory"));
    snprintf(path, sizeof path, "%s/new/paddock.lock", dir);
    assert_int_equal(data_dir_lock(path, &e), -1);
    assert_non_null(strstr(e.detail, "cannot write to the data directory"));
    temp_dir_remove(dir);
}

/* A new file, or one byte more in it. */
static void grow(const char *dir, const char *file)
{
    char path[TEMP_DIR_SIZE + 32];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "ae");
    assert_non_null(f);
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
}

static void a_directory_is_one_node_and_has_one_kind_of_store(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], node[ULID_SIZE], again[ULID_SIZE], path[TEMP_DIR_SIZE + 32];
    struct err e = {0};
    temp_dir_make(dir);
    assert_true(data_dir_embedded(dir, &e));
    assert_true(data_dir_node(dir, node, &e));
    assert_int_equal(strlen(node), ULID_SIZE - 1);
    assert_true(data_dir_node(dir, again, &e));
    assert_string_equal(node, again);
    assert_false(data_dir_embedded(dir, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "MODEL_REGISTRY_REDIS_URL"));
    snprintf(path, sizeof path, "%s/node", dir);
    assert_int_equal(truncate(path, 5), 0);
    assert_false(data_dir_node(dir, node, &e));
    assert_ptr_equal(e.kind, &ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    grow(dir, "control.db");
    assert_false(data_dir_node(dir, node, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "embedded"));
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(a_directory_is_one_node_and_has_one_kind_of_store),
        cmocka_unit_test(a_killed_holder_leaves_no_lock),
        cmocka_unit_test(the_directory_is_made_or_the_reason_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
