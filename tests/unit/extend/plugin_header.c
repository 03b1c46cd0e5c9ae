/* The plugin header as authors meet it: complete plugins in few lines, and a random sequence that
 * never changes. */
#include <paddock/plugin.h>

#include "support/unit.h"
#include "extend/worker_process.h"

static const paddock_field FIELDS[] = {
    {.name = "limit_ms",
     .type = PADDOCK_FIELD_NUMBER,
     .max = 60000,
     .preset = "50",
     .doc = "the limit of p99, in ms"},
    {.name = NULL},
};

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "limit %.0f", paddock_number(t->host, t->config, "limit_ms"));
}

PADDOCK_TEST("org.example.trivial", "1.0.0", "does nothing", FIELDS, run);

static void the_macro_fills_in_the_description(void **state)
{
    (void)state;
    const paddock_plugin *p = &paddock_plugin_entry;
    assert_int_equal(p->abi_major, PADDOCK_ABI_MAJOR);
    assert_int_equal(p->abi_minor, PADDOCK_ABI_MINOR);
    assert_int_equal(p->kind, PADDOCK_KIND_TEST);
    assert_ptr_equal(p->config, FIELDS);
    assert_ptr_equal(((const paddock_test_ops *)p->ops)->run, run);
}

/* Results name their seed: the sequence may never change. (splitmix64 from 1234567.) */
static void randomness_is_the_same_for_ever(void **state)
{
    (void)state;
    uint64_t seed = 1234567;
    assert_true(paddock_random(&seed) == 6457827717110365317u);
    assert_true(paddock_random(&seed) == 3203168211198807973u);
    assert_true(paddock_random(&seed) == 9817491932198370423u);
    for (int i = 0; i < 1000; i++) {
        double u = paddock_uniform(&seed);
        assert_true(u >= 0 && u < 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_macro_fills_in_the_description),
        cmocka_unit_test(randomness_is_the_same_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
