/* unit: cmocka with the headers that it wants before it. */
#ifndef PADDOCK_TESTS_UNIT_H
#define PADDOCK_TESTS_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* cmocka's fail() would hide base/err.h's; fail_msg() remains. */
#undef fail
#undef fail_msg
#define fail_msg(...)              \
    do {                           \
        print_error(__VA_ARGS__);  \
        print_error("\n");         \
        _fail(__FILE__, __LINE__); \
    } while (0)

#endif
