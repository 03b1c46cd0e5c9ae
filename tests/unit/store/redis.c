#include "support/conformance.h"
#include "support/redis.h"

#include <stdio.h>
#include <string.h>

static struct test_redis server;

/* One server for all tests: a directory that was not there before begins with an empty one. */
static struct store *open_redis(const char *dir, const struct clock *clock, struct err *e)
{
    static char last[TEMP_DIR_SIZE];
    char url[64];
    if (strcmp(dir, last) != 0 && !test_redis_say(&server, "FLUSHALL", "+OK"))
        return NULL;
    snprintf(last, sizeof last, "%s", dir);
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/1", server.port);
    const struct redis_settings settings = {.url = url, .node = "test"};
    return store_redis_open(&settings, clock, e);
}

int main(void)
{
    const struct backend redis = {"redis", open_redis, true};
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = test_redis_start(&server) ? conformance_run(&redis) : 1;
    test_redis_release(&server);
    return failed;
}
