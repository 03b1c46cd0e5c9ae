/* No function to run. */
#include <paddock/plugin.h>

static const paddock_test_ops OPS = {.run = NULL};

const paddock_plugin paddock_plugin_entry = {
    .abi_major = PADDOCK_ABI_MAJOR,
    .abi_minor = PADDOCK_ABI_MINOR,
    .kind = PADDOCK_KIND_TEST,
    .id = "org.example.broken",
    .version = "1.0.0",
    .summary = "breaks a rule",
    .ops = &OPS,
};
