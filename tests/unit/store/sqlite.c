#include "support/conformance.h"

int main(void)
{
    const struct backend sqlite = {"sqlite", store_sqlite_open, true};
    return conformance_run(&sqlite);
}
