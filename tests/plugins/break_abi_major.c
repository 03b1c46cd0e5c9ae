/* Built for another major of the interface. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

static const paddock_test_ops OPS = {.run = run};

const paddock_plugin paddock_plugin_entry = {
    .abi_major = PADDOCK_ABI_MAJOR + 1,
    .abi_minor = PADDOCK_ABI_MINOR,
    .kind = PADDOCK_KIND_TEST,
    .id = "org.example.broken",
    .version = "1.0.0",
    .summary = "breaks a rule",
    .ops = &OPS,
};
