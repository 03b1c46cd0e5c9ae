/* A preset out of its own range. */
#include <paddock/plugin.h>

static const paddock_field FIELDS[] = {
    {.name = "limit", .type = PADDOCK_FIELD_NUMBER, .max = 10, .preset = "50", .doc = "a limit"},
    {.name = NULL},
};

static void run(paddock_test *t)
{
    paddock_check(t, true, "ran", "it ran");
}

PADDOCK_TEST("org.example.broken", "1.0.0", "breaks a rule", FIELDS, run);
