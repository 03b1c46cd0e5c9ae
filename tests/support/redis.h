/* redis: a real redis-server for tests, on a free loopback port with a directory of its own, set as
 * Paddock demands it (appendonly yes, appendfsync always, noeviction). It dies with the test. */
#ifndef PADDOCK_TESTS_SUPPORT_REDIS_H
#define PADDOCK_TESTS_SUPPORT_REDIS_H

#include "support/temp_dir.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct test_redis {
    char dir[TEMP_DIR_SIZE];
    pid_t pid;
    unsigned port;
    const char *const *args; /* further arguments, NULL-terminated, or NULL */
};

/* Is there a redis-server on this machine? Without one, tests say "skipped". */
bool test_redis_there(void);
/* Make the directory; starts nothing yet. */
void test_redis_init(struct test_redis *r);
/* Start and wait until it answers; again on the same port after it ended. */
bool test_redis_start(struct test_redis *r);
/* Send a signal; one that ends it is waited for. */
void test_redis_signal(struct test_redis *r, int signal);
/* Send a command in one line; false unless the reply begins with `reply`. */
bool test_redis_say(const struct test_redis *r, const char *line, const char *reply);
/* Send a command in one line; what comes of its reply within a moment, as far as it has room. */
bool test_redis_ask(const struct test_redis *r, const char *line, char *out, size_t size);
/* A port that nobody has at the moment; 0: there is none. */
unsigned test_redis_free_port(void);
/* End it if it runs, and remove the directory. */
void test_redis_release(struct test_redis *r);

#endif
