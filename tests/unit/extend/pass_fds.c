/* A message with descriptors goes over whole, or not at all. */
#include "support/unit.h"
#include "extend/pass_fds.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static void they_come_over(void **state)
{
    (void)state;
    int ends[2], got[2];
    const int said = 42;
    int heard = 0;
    char c = 0;
    assert_int_equal(pipe(ends), 0);
    assert_true(pass_fds(pair[0], &said, sizeof said, ends, 2));
    assert_true(take_fds(pair[1], &heard, sizeof heard, got, 2));
    assert_int_equal(heard, 42);
    assert_int_equal(write(got[1], "x", 1), 1);
    assert_int_equal(read(ends[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        close(got[i]);
        close(ends[i]);
    }
}

static void another_message_is_none(void **state)
{
    (void)state;
    int got[3], fds[4] = {0, 0, 0, 0};
    char heard[4];
    assert_false(pass_fds(pair[0], "abcd", 4, fds, 4));
    assert_true(pass_fds(pair[0], "abc", 3, fds, 1)); /* too short */
    assert_false(take_fds(pair[1], heard, 4, got, 1));
    assert_int_equal(send(pair[0], "abcd", 4, 0), 4); /* without descriptors */
    assert_false(take_fds(pair[1], heard, 4, got, 1));
}

static void the_end_is_heard_on_both_sides(void **state)
{
    (void)state;
    int got, fd = 0;
    char heard;
    shutdown(pair[1], SHUT_RDWR);
    assert_false(pass_fds(pair[0], "a", 1, &fd, 1));
    assert_false(take_fds(pair[1], &heard, 1, &got, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_come_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_message_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_heard_on_both_sides, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
