/* server: a real `paddock serve` for tests, on a free loopback port with a directory of its own.
 * It dies with the test, and what it left is removed. Environment: PADDOCK_BIN. */
#ifndef PADDOCK_TESTS_SUPPORT_SERVER_H
#define PADDOCK_TESTS_SUPPORT_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

/* Is the server built with AddressSanitizer, as this test is? */
#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct test_server {
    char dir[64];  /* the data directory */
    char log[128]; /* its standard error */
    pid_t pid;
    unsigned port;
    const char *out;         /* file for its standard output; NULL: the log */
    const char *preload;     /* LD_PRELOAD for the server, or NULL */
    const char *const *args; /* further arguments, NULL-terminated, or NULL */
};

/* Make the directory; starts nothing yet. */
void test_server_init(struct test_server *s);
/* Start and wait until it serves (at most 30 s). False (with its log on stderr) when it does not.
 */
bool test_server_start(struct test_server *s);
/* Send `signal` and wait for the end; returns the exit status, or minus the signal that ended it.
 */
int test_server_end(struct test_server *s, int signal);
/* End it if it runs, and remove the directory. */
void test_server_release(struct test_server *s);
/* Does its log contain `text`? */
bool test_server_logged(const struct test_server *s, const char *text);
/* Resident memory in kB, from /proc. */
long test_server_rss_kb(const struct test_server *s);

#endif
