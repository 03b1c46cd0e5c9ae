/* Hands the host what it must not. */
#include <paddock/plugin.h>

static void run(paddock_test *t)
{
    paddock_measurement m = {.name = "no name!", .value = 1};
    paddock_measure(t, &m);
    m.name = "value";
    m.value = NAN;
    paddock_measure(t, &m);
    paddock_sample(t, "latency", -1);
    paddock_check(t, true, "fine", "%s", "\xff\xfe not UTF-8");
}

PADDOCK_TEST("test.host", "1.0.0", "uses the host wrongly", NULL, run);
