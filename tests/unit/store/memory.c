#include "support/conformance.h"

static struct store *open_memory(const char *dir, const struct clock *clock, struct err *e)
{
    (void)dir;
    (void)e;
    return store_memory_open(clock);
}

int main(void)
{
    const struct backend memory = {"memory", open_memory, false};
    return conformance_run(&memory);
}
