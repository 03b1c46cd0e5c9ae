#include "base/grow.h"
#include "base/mem.h"

#include "support/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void gives_memory(void **state)
{
    (void)state;
    char *a = mem_alloc(0);
    char *b = mem_zero(3, 5);
    static const char zero[15];
    assert_memory_equal(b, zero, 15);
    memcpy(b, "0123456789abcde", 15);
    b = mem_resize(b, 100, 10);
    assert_memory_equal(b, "0123456789abcde", 15);
    free(a);
    free(b);
    free(mem_zero(0, 0));
    free(mem_resize(NULL, 0, 0));
}

static void copies(void **state)
{
    (void)state;
    assert_null(mem_text(NULL));
    char *text = mem_text("abc"), *bytes = mem_copy("a\0b", 3), *empty = mem_copy(NULL, 0);
    assert_string_equal(text, "abc");
    assert_memory_equal(bytes, "a\0b", 4);
    assert_string_equal(empty, "");
    free(text);
    free(bytes);
    free(empty);
}

/* Elements stay where they were put, and room comes by doubling. */
static void grows(void **state)
{
    (void)state;
    struct pairs {
        struct {
            uint64_t a, b;
        } * list;
        uint32_t n, cap;
    } p = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        GROW(p.list, p.n, p.cap);
        p.list[p.n].a = i;
        p.list[p.n++].b = ~i;
    }
    assert_int_equal(p.cap, 1024);
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(p.list[i].a == i && p.list[i].b == ~i);
    free(p.list);
}

/* A product that overflows ends the process with status 1 and one line. */
static void overflow_ends_the_process(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        volatile size_t many = SIZE_MAX / 2;
        dup2(pipe_fds[1], STDERR_FILENO);
        mem_resize(NULL, many, 3);
        _exit(0);
    }
    close(pipe_fds[1]);
    char text[200] = "";
    ssize_t n = read(pipe_fds[0], text, sizeof text - 1);
    close(pipe_fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(n > 0);
    assert_string_equal(text, "paddock: out of memory, ending\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_memory),
        cmocka_unit_test(copies),
        cmocka_unit_test(grows),
        cmocka_unit_test(overflow_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
